//! Our protobuf scanner beside prost on damaged bytes: both must find the same framing sound.
//!
//! Differences that are meant: a bad span costs us only itself where prost fails the request; groups
//! (removed from protobuf, never in OTLP) are refused by us; resources and scopes without spans are
//! not looked into; ids and times are our own rules.

mod support;

use proptest::prelude::any;
use prost::Message;
use support::{PROTOBUF, Request, decode, full_span, plain_span, request_of};
use tracewell_wire::Reason;

/// What our decoder finds wrong with the bytes themselves: the request, or spans in it.
fn we_find_it_sound(body: &[u8]) -> bool {
    match decode(PROTOBUF, body) {
        Err(_) => false,
        Ok((_, report)) => !report.refused.contains_key(&Reason::Malformed),
    }
}

/// True where the bytes hold a group, or no span, or so many levels that prost's limit of 100 differs.
fn is_a_known_difference(body: &[u8]) -> bool {
    decode(PROTOBUF, body).is_err_and(|error| error.to_string().contains("groups"))
        || decode(PROTOBUF, body).is_ok_and(|(_, report)| {
            let groups = |text: &str| text.contains("groups");
            report.seen() == 0
                || report.refused.contains_key(&Reason::TooDeep)
                || report
                    .examples
                    .iter()
                    .any(|refusal| groups(&refusal.detail))
        })
}

fn check(body: &[u8]) {
    let prost_finds_it_sound = Request::decode(body).is_ok();
    if we_find_it_sound(body) != prost_finds_it_sound {
        assert!(
            is_a_known_difference(body),
            "prost: {prost_finds_it_sound}; {body:02x?}"
        );
    }
}

fn seed() -> Vec<u8> {
    let mut request = request_of(full_span());
    let group = &mut request.resource_spans[0];
    group.schema_url = "https://example.org/1".to_owned();
    group.scope_spans[0].spans.push(plain_span());
    request.encode_to_vec()
}

#[test]
fn a_request_cut_anywhere_is_judged_as_prost_judges_it() {
    let body = seed();
    for end in 0..body.len() {
        check(&body[..end]);
    }
}

#[test]
fn a_request_with_any_one_byte_changed_is_judged_as_prost_judges_it() {
    let body = seed();
    for at in 0..body.len() {
        for change in [1, 2, 4, 8, 16, 32, 64, 128, 255, 7] {
            let mut body = body.clone();
            body[at] ^= change;
            check(&body);
        }
    }
}

#[test]
fn a_request_with_many_bytes_changed_is_judged_as_prost_judges_it() {
    let body = seed();
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..20_000 {
        let mut body = body.clone();
        for _ in 0..random.usize(1..5) {
            if body.is_empty() {
                break;
            }
            let at = random.usize(..body.len());
            match random.u8(..4) {
                0 => body[at] = random.u8(..),
                1 => drop(body.remove(at)),
                2 => body.insert(at, random.u8(..)),
                _ => body.truncate(at + 1),
            }
        }
        check(&body);
    }
}

proptest::proptest! {
    #[test]
    fn random_bytes_are_judged_as_prost_judges_them(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        check(&body);
    }
}
