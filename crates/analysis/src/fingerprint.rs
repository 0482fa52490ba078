//! Errors that are the same: a fingerprint of type, message and top frames, with all that differs
//! from one occurrence to the next taken out.

use xxhash_rust::xxh3::xxh3_64;

/// Frames that say where an error is from; what called them varies.
const FRAMES_MAX: usize = 5;
/// Of a message, what is looked at; the rest is data.
const MESSAGE_CHARS_MAX: usize = 500;

/// What an occurrence says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Occurrence<'a> {
    /// `exception.type`.
    pub exception_type: &'a str,
    /// `exception.message`, or the status message.
    pub message: &'a str,
    /// `exception.stacktrace`.
    pub stack: &'a str,
    /// The operation: all that is known of an error that says nothing.
    pub operation: &'a str,
}

/// A group's identity and how it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Its identity.
    pub hash: u64,
    /// The message without what varies.
    pub message: String,
    /// The top frames, without what varies.
    pub frames: Vec<String>,
}

impl Fingerprint {
    /// Of one occurrence in a service. The message counts only where there are no frames: a
    /// message may hold data in any words, a place in the code does not.
    pub fn of(service: &str, seen: Occurrence<'_>) -> Fingerprint {
        let message = normalized(seen.message);
        let frames = frames(seen.stack);
        let mut identity = format!("{service}\0{}\0", seen.exception_type);
        match (frames.is_empty(), message.is_empty()) {
            (false, _) => identity.push_str(&frames.join("\0")),
            (true, false) => identity.push_str(&message),
            (true, true) => identity.push_str(seen.operation),
        }
        Fingerprint {
            hash: xxh3_64(identity.as_bytes()),
            message,
            frames,
        }
    }
}

/// A text without what varies: quoted texts, numbers, ids, addresses, and paths with ids in them.
pub fn normalized(text: &str) -> String {
    let mut out = String::new();
    let cut = text.char_indices().nth(MESSAGE_CHARS_MAX);
    let mut left = text
        .get(..cut.map_or(text.len(), |(at, _)| at))
        .unwrap_or("");
    while let Some(first) = left.chars().next() {
        let (taken, written) = match first {
            '"' | '\'' | '`' => quoted(left, first),
            c if c.is_whitespace() => {
                let spaces = left.len() - left.trim_start().len();
                (spaces, " ".to_owned())
            }
            c if is_word(c) => {
                let end = left.find(|c: char| !is_word(c)).unwrap_or(left.len());
                (end, word(left.get(..end).unwrap_or("")))
            }
            c => (c.len_utf8(), c.to_string()),
        };
        out.push_str(&written);
        left = left.get(taken..).unwrap_or("");
    }
    out.trim().to_owned()
}

/// What belongs together: `10.0.0.1:443`, `a3f1-…`, `/users/17`.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "-_./:@".contains(c)
}

/// A quoted text; an apostrophe within a word opens none.
fn quoted(text: &str, quote: char) -> (usize, String) {
    let inner = text.get(quote.len_utf8()..).unwrap_or("");
    match inner.find(quote) {
        Some(end) if end > 0 => (end + 2 * quote.len_utf8(), "<text>".to_owned()),
        _ => (quote.len_utf8(), quote.to_string()),
    }
}

/// A word, its parts that vary taken out.
fn word(word: &str) -> String {
    if is_uuid(word) {
        return "<id>".to_owned();
    }
    let mut out = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(['/', ':', '.', '@', '_']).unwrap_or(rest.len());
        let part = rest.get(..end).unwrap_or("");
        out.push_str(&varying(part).map_or_else(|| part.to_owned(), str::to_owned));
        let separator = rest.get(end..).and_then(|rest| rest.chars().next());
        out.extend(separator);
        rest = rest
            .get(end + separator.map_or(0, char::len_utf8)..)
            .unwrap_or("");
    }
    // 10.0.0.1:443, 1.5 and 12:03:44.123 are one number each.
    while let Some(at) = find_joined(&out) {
        out.replace_range(at..at + "<n>.<n>".len(), "<n>");
    }
    out
}

fn find_joined(text: &str) -> Option<usize> {
    ["<n>.<n>", "<n>:<n>"]
        .into_iter()
        .filter_map(|joined| text.find(joined))
        .min()
}

/// What a part is replaced by, if it varies.
fn varying(part: &str) -> Option<&'static str> {
    if is_uuid(part) {
        return Some("<id>");
    }
    let digits = part.chars().filter(char::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    let bare = part.strip_prefix("0x").unwrap_or(part);
    let is_hex = bare.chars().all(|c| c.is_ascii_hexdigit());
    if is_hex && (bare.len() >= 8 || bare.len() < part.len()) && digits < bare.len() {
        return Some("<id>");
    }
    // Numbers with a sign, a unit or an ordinal: -5, 30s, 1500ms.
    let letters = part
        .trim_start_matches('-')
        .trim_start_matches(|c: char| c.is_ascii_digit());
    if part
        .trim_start_matches('-')
        .starts_with(|c: char| c.is_ascii_digit())
        && letters.len() <= 3
    {
        return Some("<n>");
    }
    // Ids that mix: u-17, order-8812, i-0abc12, thread-9.
    (digits * 3 >= part.len() || part.contains('-')).then_some("<id>")
}

fn is_uuid(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && parts
            .iter()
            .all(|part| part.chars().all(|c| c.is_ascii_hexdigit()))
}

/// The top frames of a stack trace as languages write them, the innermost first; none when the
/// text holds none.
pub fn frames(stack: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let lines: Vec<&str> = stack.lines().collect();
    // Python's last call comes last.
    let last_first = lines
        .iter()
        .any(|line| line.contains("most recent call last"));
    for (at, line) in lines.iter().enumerate() {
        let next = lines.get(at + 1).copied().unwrap_or("");
        if let Some(frame) = frame(line, next) {
            found.push(frame);
        }
        if !last_first && found.len() == FRAMES_MAX {
            break;
        }
    }
    if last_first {
        found.reverse();
        found.truncate(FRAMES_MAX);
    }
    found
}

/// The place in the code that a line names. `next` is the line after it.
fn frame(line: &str, next: &str) -> Option<String> {
    let trimmed = line.trim();
    // Java, JavaScript, .NET: "at place(file:line)"; Rust says the function on the line before.
    if let Some(place) = trimmed.strip_prefix("at ") {
        let place = place
            .split([' ', '('])
            .find(|part| !part.is_empty() && *part != "async")?;
        let is_path = place.starts_with(['/', '.']) || place.contains(".rs:");
        return (!is_path).then(|| normalized_place(place));
    }
    // Python: File "path", line 3, in function
    if let Some(rest) = trimmed.strip_prefix("File \"") {
        let (path, rest) = rest.split_once('"')?;
        let function = rest
            .rsplit_once(" in ")
            .map_or("", |(_, function)| function);
        let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
        return Some(format!("{file} {}", normalized_place(function)));
    }
    // Rust: "  3: crate::module::function"
    if let Some((number, place)) = trimmed.split_once(": ")
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Some(normalized_place(place));
    }
    // Go: "package.function(0xc000…)" with "\tfile.go:3 +0x1d" on the next line.
    let is_go = next.starts_with(['\t', ' ']) && next.contains(".go:");
    let place = trimmed.rsplit_once('(').map_or(trimmed, |(place, _)| place);
    (is_go && !trimmed.is_empty()).then(|| normalized_place(place))
}

/// A place without what compilers number: lambdas, hashes, anonymous classes.
fn normalized_place(place: &str) -> String {
    let bare = place.rsplit_once("::h").filter(|(_, hash)| is_hash(hash));
    let place = bare.map_or(place, |(bare, _)| bare);
    let mut out = String::new();
    let mut in_number = false;
    for c in place.trim().chars() {
        match c.is_ascii_digit() {
            true if in_number => {}
            true => out.push('#'),
            false => out.push(c),
        }
        in_number = c.is_ascii_digit();
    }
    out
}

/// Rust's `::h0123456789abcdef`.
fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_taken_out() {
        for (message, expected) in [
            ("", ""),
            ("timeout after 1500ms", "timeout after <n>"),
            ("user 'Ann Lee' is unknown", "user <text> is unknown"),
            ("can't open \"a b\"", "can't open <text>"),
            ("connect to 10.0.0.17:443 failed", "connect to <n> failed"),
            (
                "order 550e8400-e29b-41d4-a716-446655440000 is gone",
                "order <id> is gone",
            ),
            ("object 0x7ffee4c0 at deadbeef01", "object <id> at <id>"),
            (
                "GET /users/17/orders/a1b2c3d4e5 -> 404",
                "GET /users/<n>/orders/<id> -> <n>",
            ),
            ("no such user u-17", "no such user <id>"),
            ("took 1.5 s,  at\n12:03:44.123", "took <n> s, at <n>"),
            (
                "ECONNREFUSED db.internal:5432",
                "ECONNREFUSED db.internal:<n>",
            ),
            (
                "NullPointerException in CartMapper",
                "NullPointerException in CartMapper",
            ),
        ] {
            assert_eq!(normalized(message), expected, "{message}");
        }
    }

    const JAVA: &str = "java.lang.NullPointerException: user 17\n\tat com.shop.CartMapper.map(CartMapper.java:88)\n\tat com.shop.Cart$$Lambda$14/0x1.get(Unknown Source)\n\tat java.base/java.util.Optional.map(Optional.java:260)\nCaused by: x\n\t... 3 more";
    const PYTHON: &str = "Traceback (most recent call last):\n  File \"/app/main.py\", line 3, in serve\n    pay()\n  File \"/app/pay.py\", line 9, in charge\n    raise Timeout()\nTimeout: 3 s";
    const GO: &str = "goroutine 17 [running]:\nmain.charge(0xc000012345, 0x2)\n\t/app/pay.go:31 +0x1d\nnet/http.(*conn).serve(0xc0000a0000)\n\t/usr/local/go/src/net/http/server.go:1995 +0x8";
    const NODE: &str = "Error: boom\n    at charge (/app/pay.js:12:9)\n    at async Shop.checkout (/app/shop.js:4:3)\n    at /app/x.js:1:1";
    const RUST: &str = "   0: rust_begin_unwind\n             at /rustc/abc/library/std/src/panicking.rs:652:5\n   1: shop::pay::charge::h0123456789abcdef\n             at ./src/pay.rs:9:5";

    #[test]
    fn frames_are_found_in_every_language() {
        for (stack, expected) in [
            (
                JAVA,
                &[
                    "com.shop.CartMapper.map",
                    "com.shop.Cart$$Lambda$#/#x#.get",
                    "java.base/java.util.Optional.map",
                ][..],
            ),
            (PYTHON, &["pay.py charge", "main.py serve"]),
            (GO, &["main.charge", "net/http.(*conn).serve"]),
            (NODE, &["charge", "Shop.checkout"]),
            (RUST, &["rust_begin_unwind", "shop::pay::charge"]),
            ("no stack at all", &[]),
            ("", &[]),
        ] {
            assert_eq!(frames(stack), expected, "{stack}");
        }
    }

    #[test]
    fn a_group_is_a_place_in_the_code_else_a_message() {
        let of = |message, stack| {
            let seen = Occurrence {
                exception_type: "Timeout",
                message,
                stack,
                operation: "charge",
            };
            Fingerprint::of("payment", seen).hash
        };
        let moved = PYTHON.replace("line 9", "line 12");
        assert_eq!(of("user 1", PYTHON), of("user 2 (retried)", &moved));
        assert_ne!(of("x", PYTHON), of("x", GO));
        assert_eq!(of("after 3 s", ""), of("after 12 s", ""));
        assert_ne!(of("after 3 s", ""), of("before 3 s", ""));
        assert_ne!(of("", ""), of("x", ""));
        let elsewhere = Fingerprint::of("cart", Occurrence::default());
        assert_ne!(
            elsewhere.hash,
            Fingerprint::of("shop", Occurrence::default()).hash
        );
    }
}
