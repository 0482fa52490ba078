//! As much of JSON Schema as our document uses; a keyword it does not know is an error, so that no
//! part of the document goes unchecked.

use serde_json::Value;

/// Says where the value differs from the schema, if it does.
pub(crate) fn check(
    document: &Value,
    schema: &Value,
    value: &Value,
    at: &str,
) -> Result<(), String> {
    let keywords = schema
        .as_object()
        .ok_or_else(|| format!("{at}: no schema: {schema}"))?;
    for (keyword, rule) in keywords {
        let fine = match keyword.as_str() {
            "description" | "default" | "properties" => true,
            "$ref" => {
                let name = rule
                    .as_str()
                    .and_then(|name| name.strip_prefix('#'))
                    .unwrap_or("?");
                let target = document
                    .pointer(name)
                    .ok_or_else(|| format!("{rule} is nowhere"))?;
                check(document, target, value, at)?;
                true
            }
            "anyOf" => any_of(document, rule, value, at)?,
            "type" => rule.as_array().map_or_else(
                || is_type(rule, value),
                |types| types.iter().any(|one| is_type(one, value)),
            ),
            "enum" => rule.as_array().is_some_and(|values| values.contains(value)),
            "minimum" => value
                .as_f64()
                .zip(rule.as_f64())
                .is_none_or(|(v, least)| v >= least),
            "maximum" => value
                .as_f64()
                .zip(rule.as_f64())
                .is_none_or(|(v, most)| v <= most),
            "pattern" => value
                .as_str()
                .zip(rule.as_str())
                .is_none_or(|(text, pattern)| {
                    regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
                }),
            "required" => {
                let names = rule
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str);
                value
                    .as_object()
                    .is_none_or(|value| names.into_iter().all(|name| value.contains_key(name)))
            }
            "items" => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(document, rule, item, &format!("{at}[{i}]"))?;
                }
                true
            }
            "additionalProperties" => members(document, schema, rule, value, at)?,
            unknown => return Err(format!("{at}: the validator does not know {unknown}")),
        };
        if !fine {
            return Err(format!("{at}: {keyword} {rule} does not hold of {value}"));
        }
    }
    Ok(())
}

fn any_of(document: &Value, rule: &Value, value: &Value, at: &str) -> Result<bool, String> {
    let mut reasons = Vec::new();
    for schema in rule.as_array().into_iter().flatten() {
        match check(document, schema, value, at) {
            Ok(()) => return Ok(true),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(format!("{at}: none of: {}", reasons.join(" | ")))
}

fn members(
    document: &Value,
    schema: &Value,
    others: &Value,
    value: &Value,
    at: &str,
) -> Result<bool, String> {
    for (name, member) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        match (
            schema
                .pointer("/properties")
                .and_then(|known| known.get(name)),
            others,
        ) {
            (Some(known), _) => check(document, known, member, &at)?,
            (None, Value::Bool(allowed)) if !allowed => {
                return Err(format!("{at} is not documented"));
            }
            (None, Value::Bool(_)) => {}
            (None, schema) => check(document, schema, member, &at)?,
        }
    }
    Ok(true)
}

fn is_type(name: &Value, value: &Value) -> bool {
    match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        _ => false,
    }
}
