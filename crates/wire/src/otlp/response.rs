//! The answers OTLP clients expect, in both encodings: `ExportTraceServiceResponse` after a 200 and
//! `google.rpc.Status` with an error.

use crate::json::write_text;
use crate::proto::{put_message_field, put_varint_field};
use crate::rest::put_text;

/// `ExportTraceServiceResponse` in protobuf. `partial_success` stays unset on full success; with a
/// message but nothing rejected it is a warning.
pub fn encode_response(rejected_spans: u64, message: &str) -> Vec<u8> {
    let mut out = Vec::new();
    if rejected_spans == 0 && message.is_empty() {
        return out;
    }
    put_message_field(&mut out, 1, |out| {
        if rejected_spans != 0 {
            put_varint_field(out, 1, rejected_spans);
        }
        put_text(out, 2, message);
    });
    out
}

/// `ExportTraceServiceResponse` in JSON.
pub fn encode_response_json(rejected_spans: u64, message: &str) -> String {
    if rejected_spans == 0 && message.is_empty() {
        return "{}".to_owned();
    }
    let mut out = format!("{{\"partialSuccess\":{{\"rejectedSpans\":\"{rejected_spans}\"");
    if !message.is_empty() {
        out.push_str(",\"errorMessage\":");
        write_text(message, &mut out);
    }
    out.push_str("}}");
    out
}

/// `google.rpc.Status` in protobuf; the code is one of gRPC's.
pub fn encode_status(code: i32, message: &str) -> Vec<u8> {
    let mut out = Vec::new();
    if code != 0 {
        put_varint_field(&mut out, 1, i64::from(code) as u64);
    }
    put_text(&mut out, 2, message);
    out
}

/// `google.rpc.Status` in JSON.
pub fn encode_status_json(code: i32, message: &str) -> String {
    let mut out = format!("{{\"code\":{code},\"message\":");
    write_text(message, &mut out);
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_success_is_empty_and_partial_success_is_told() {
        assert!(encode_response(0, "").is_empty());
        assert_eq!(encode_response_json(0, ""), "{}");
        assert_eq!(encode_response(3, "x"), [0x0a, 5, 8, 3, 0x12, 1, b'x']);
        assert_eq!(
            encode_response_json(3, "a\"b"),
            r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"a\"b"}}"#
        );
        assert_eq!(encode_status(3, "no"), [8, 3, 0x12, 2, b'n', b'o']);
        assert_eq!(encode_status_json(3, "no"), r#"{"code":3,"message":"no"}"#);
    }
}
