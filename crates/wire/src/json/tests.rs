//! Tests of JSON values, in and out.
#![allow(clippy::indexing_slicing)]

use super::*;

fn check(json: &str, back: &str) {
    let body = format!("{{\"k\":{json}}}");
    let attributes: Attributes<'_> = serde_json::from_str(&body).unwrap();
    let value = attributes.iter().next().unwrap().value;
    let mut text = String::new();
    write_value(value, &mut text);
    assert_eq!(text, back, "{json}");
    let parsed: serde_json::Value = serde_json::from_str(back).unwrap();
    assert_eq!(to_json(value), parsed, "{json}");
    let document: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(Held::from_json(&document).as_value(), value, "{json}");
}

#[test]
fn values_come_back_as_they_went_in() {
    for same in [
        "null",
        "true",
        "\"\"",
        "\"é\\u0000\\n\\\"\\\\\"",
        "9223372036854775807",
        "-9223372036854775808",
        "1.5",
        "1.0",
        "1e300",
        "[]",
        "{}",
        "[1,\"a\",null,[true,{\"b\":[]}]]",
        "{\"a\":1,\"b\":{\"c\":[1.25]}}",
    ] {
        check(same, same.replace("e300", "e+300").as_str());
    }
    check("9223372036854775808", "9.223372036854776e+18");
    check("-0", "-0.0");
}

#[test]
fn bytes_and_odd_doubles_have_their_forms() {
    let forms = [
        (Value::Bytes(&[0, 255]), r#"{"bytes":"AP8="}"#),
        (Value::Double(f64::NAN), r#""NaN""#),
        (Value::Double(f64::INFINITY), r#""Infinity""#),
        (Value::Double(f64::NEG_INFINITY), r#""-Infinity""#),
    ];
    for (value, expected) in forms {
        let mut text = String::new();
        write_value(value, &mut text);
        assert_eq!(text, expected);
        assert_eq!(to_json(value).to_string(), expected);
    }
}

#[test]
fn order_and_repeated_keys_are_kept() {
    let read: Attributes<'_> = serde_json::from_str(r#"{"b":1,"a":2,"b":3}"#).unwrap();
    let keys: Vec<_> = read.iter().map(|attribute| attribute.key).collect();
    assert_eq!(keys, ["b", "a", "b"]);
    assert!(matches!(read.entries[0].0, Cow::Borrowed(_)));
}

#[test]
fn nesting_is_capped_without_using_the_stack() {
    for (depth, too_deep) in [(64, false), (65, false), (66, true), (200_000, true)] {
        let nested = format!("{{\"k\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let read: Attributes<'_> = serde_json::from_str(&nested).unwrap();
        assert_eq!(read.too_deep(), too_deep, "{depth}");
    }
}

#[test]
fn an_excerpt_is_short_and_harmless() {
    assert_eq!(excerpt("a\u{1b}[31m"), "a\\u{1b}[31m");
    assert_eq!(excerpt(&"é".repeat(100)).chars().count(), 81);
}
