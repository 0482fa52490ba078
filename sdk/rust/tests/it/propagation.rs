//! Headers in, headers out: the cases that the suite at hand does not have.

use std::collections::HashMap;

use proptest::prelude::*;
use tracewell_sdk::carrier::{Extract, Inject};
use tracewell_sdk::propagation::Format;
use tracewell_sdk::propagation::tracestate::{Invalid, Level, TraceState};
use tracewell_sdk::{Baggage, Context, Propagator, Sampler, Tracer};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn extract(headers: &[(&str, &str)]) -> Context {
    Propagator::default().extract(&headers)
}

fn b3(headers: &[(&str, &str)]) -> Context {
    Propagator::new([Format::B3, Format::B3Multi]).extract(&headers)
}

fn reinject(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    Propagator::default().inject(&extract(headers), &mut out);
    out
}

#[test]
fn flags_of_level_two() {
    let flags = |flags: &str| {
        let header = format!("00-{TRACE}-{SPAN}-{flags}");
        extract(&[("traceparent", &header)]).span().flags().bits()
    };
    assert_eq!(flags("00"), 0);
    assert_eq!(flags("01"), 1);
    assert_eq!(flags("02"), 2, "the random flag is carried on");
    assert_eq!(flags("03"), 3);
    assert_eq!(flags("ff"), 3, "unknown flags are sent as zero");
    let later = format!("cc-{TRACE}-{SPAN}-ff-more");
    assert_eq!(extract(&[("traceparent", &later)]).span().flags().bits(), 1);
}

#[test]
fn our_own_traces_say_that_their_ids_are_random() {
    let tracer = Tracer::builder().sampler(Sampler::never()).build();
    let mut headers: Vec<(String, String)> = Vec::new();
    tracer
        .propagator()
        .inject(&tracer.start("root").context(), &mut headers);
    assert!(headers[0].1.ends_with("-02"), "{headers:?}");
    let below = extract(&[("traceparent", &format!("00-{TRACE}-{SPAN}-02"))]);
    let below = tracer.span("below").parent(&below).start();
    assert_eq!(below.span_context().flags().bits(), 2);
    assert_eq!(below.span_context().trace_id().to_string(), TRACE);
    tracer.shutdown(std::time::Duration::ZERO);
}

#[test]
fn a_traceparent_that_is_none_restarts_the_trace() {
    let upper = TRACE.to_uppercase();
    for bad in [
        "".to_owned(),
        "00".to_owned(),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-"),
        format!("00-{TRACE}-{SPAN}-0"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("00-{upper}-{SPAN}-01"),
        format!("00_{TRACE}_{SPAN}_01"),
        format!("00-{TRACE}-{SPAN}-0G"),
        format!("00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01"),
        format!("cc-{TRACE}-{SPAN}-01x"),
        format!("cc-{TRACE}-{SPAN}-1"),
        format!("FF-{TRACE}-{SPAN}-01"),
        format!("00-{TRACE}-{SPAN}-01\u{a0}"),
        "00-é".to_owned() + &"x".repeat(60),
    ] {
        let headers = [("traceparent", bad.as_str()), ("tracestate", "a=1")];
        let context = extract(&headers);
        assert_eq!(
            context,
            Context::default(),
            "{bad:?}: and its tracestate goes with it"
        );
    }
}

#[test]
fn many_tracestates_are_one_and_keep_their_order() {
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let headers = [
        ("Traceparent", parent.as_str()),
        ("tracestate", "foo=1 , bar= 2"),
        ("TraceState", ""),
        ("tracestate", "1st=x,,\tbaz=3"),
    ];
    let sent = reinject(&headers);
    let expected = [
        ("traceparent".to_owned(), parent.clone()),
        (
            "tracestate".to_owned(),
            "foo=1,bar= 2,1st=x,baz=3".to_owned(),
        ),
    ];
    assert_eq!(sent, expected);
}

#[test]
fn a_tracestate_that_is_none_takes_nothing_with_it() {
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let members = |count: usize| {
        (0..count)
            .map(|n| format!("k{n}=v"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let state_of = |state: &str| {
        let context = extract(&[("traceparent", &parent), ("tracestate", state)]);
        assert!(context.span().is_valid());
        context.span().trace_state().header().to_owned()
    };
    assert_eq!(state_of(&members(32)), members(32));
    assert_eq!(state_of(&members(33)), "");
    for bad in [
        "FOO=1",
        "foo =1",
        "foo.bar=1",
        "foo=1=2",
        "foo=",
        "=1",
        "foo",
        "é=1",
        "a=é",
        "@a=1",
    ] {
        assert_eq!(state_of(&format!("ok=1,{bad}")), "", "{bad}");
    }
    assert_eq!(state_of(&format!("{}=1", "k".repeat(256))).len(), 258);
    assert_eq!(state_of(&format!("{}=1", "k".repeat(257))), "");
    assert_eq!(state_of(&format!("k={}", "v".repeat(257))), "");
    // Level 2 takes the at-sign for a character like others; of a key that stands twice the later
    // entry, which is the first, is kept.
    assert_eq!(state_of("a@b@c=1"), "a@b@c=1");
    assert_eq!(state_of("foo=1,bar=2,foo=3"), "foo=1,bar=2");
}

#[test]
fn the_levels_differ_in_keys_only() {
    let verdicts = |state: &str| {
        [Level::One, Level::Two].map(|level| TraceState::parse(state, level).map(|_| ()))
    };
    let (ok, member) = (Ok(()), Err(Invalid::Member));
    assert_eq!(verdicts("foo=1"), [ok, ok]);
    assert_eq!(verdicts("1foo=1"), [member, ok]);
    assert_eq!(verdicts("1foo@bar=1"), [ok, ok]);
    assert_eq!(verdicts("foo@1bar=1"), [member, ok]);
    assert_eq!(verdicts("foo@=1"), [member, ok]);
    assert_eq!(verdicts("@foo=1"), [member, member]);
    assert_eq!(verdicts("foo=1,foo=2"), [Err(Invalid::Duplicate); 2]);
    assert_eq!(verdicts(""), [ok, ok]);
}

#[test]
fn a_member_that_changes_stands_first_and_the_thirty_third_goes() {
    let all: Vec<String> = (0..32).map(|n| format!("k{n}=v")).collect();
    let state = TraceState::parse(&all.join(","), Level::Two).unwrap();
    let changed = state.with("k7", "new").unwrap();
    assert!(changed.header().starts_with("k7=new,k0=v,"));
    assert_eq!(changed.members().count(), 32);
    let added = state.with("ours", "1").unwrap();
    assert_eq!((added.members().count(), added.get("k31")), (32, None));
    assert_eq!(state.with("Ours", "1"), Err(Invalid::Member));
}

#[test]
fn baggage_is_decoded_and_encoded() {
    let headers = [
        (
            "baggage",
            "tenant=gr%C3%B6%C3%9Fte;ttl=3 , bad name=1,plan = free",
        ),
        ("Baggage", "empty=,raw%key=100%,plan=paid,=x,q=a\"b"),
    ];
    let context = extract(&headers);
    let members: Vec<(&str, &str)> = context.baggage().iter().collect();
    let expected = [
        ("tenant", "größte"),
        ("empty", ""),
        ("raw%key", "100%"),
        ("plan", "paid"),
    ];
    assert_eq!(members, expected);
    let sent = reinject(&headers);
    let header = "tenant=gr%C3%B6%C3%9Fte;ttl=3,empty=,raw%key=100%25,plan=paid";
    assert_eq!(sent, [("baggage".to_owned(), header.to_owned())]);
}

#[test]
fn baggage_has_limits() {
    let many: Vec<String> = (0..200).map(|n| format!("k{n}=v")).collect();
    assert_eq!(
        extract(&[("baggage", &many.join(","))]).baggage().len(),
        180
    );
    let long = format!("a=1,b={},c=3", "x".repeat(8192));
    assert_eq!(extract(&[("baggage", &long)]).baggage().len(), 1);
    let full = Baggage::default().with("k", &"x".repeat(8190));
    assert_eq!(full.len(), 1);
    assert_eq!(full.with("l", "x"), full, "no room");
    assert_eq!(full.with("k", "short").get("k"), Some("short"));
    assert_eq!(Baggage::default().with("no token", "x").len(), 0);
}

#[test]
fn b3_in_one_header() {
    let check = |header: &str, sampled: Option<bool>| {
        let context = b3(&[("b3", header)]);
        let found = context
            .span()
            .is_valid()
            .then(|| context.span().is_sampled());
        assert_eq!(found, sampled, "{header}");
        context
    };
    check(&format!("{TRACE}-{SPAN}-1"), Some(true));
    check(&format!("{TRACE}-{SPAN}-0-{SPAN}"), Some(false));
    check(&format!("{TRACE}-{SPAN}-d"), Some(true));
    let upper = format!("{}-{}", TRACE.to_uppercase(), SPAN.to_uppercase());
    check(&upper, Some(true));
    let short = check(&format!("{SPAN}-{SPAN}-1"), Some(true));
    assert_eq!(
        short.span().trace_id().to_string(),
        format!("0000000000000000{SPAN}")
    );
    for bad in [
        "",
        "x",
        "1-2",
        &format!("{TRACE}-{SPAN}-2"),
        &format!("{TRACE}-{SPAN}-1-x"),
    ] {
        check(bad, None);
    }
    check(&format!("{TRACE}-{SPAN}-1-{SPAN}-more"), None);
}

#[test]
fn b3_in_many_headers() {
    let ids = [("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN)];
    let with = |more: &[(&'static str, &'static str)]| b3(&[&ids[..], more].concat());
    assert!(with(&[("X-B3-Sampled", "1")]).span().is_sampled());
    assert!(!with(&[("X-B3-Sampled", "false")]).span().is_sampled());
    assert!(
        with(&[("X-B3-Flags", "1"), ("X-B3-Sampled", "0")])
            .span()
            .is_sampled()
    );
    assert!(!with(&[("X-B3-Sampled", "maybe")]).span().is_valid());
    assert!(!b3(&ids[..1]).span().is_valid());
    let mut out: HashMap<String, String> = HashMap::new();
    Propagator::new([Format::B3Multi]).inject(&with(&[("x-b3-sampled", "1")]), &mut out);
    assert_eq!(out["x-b3-traceid"], TRACE);
    assert_eq!(
        (out["x-b3-spanid"].as_str(), out["x-b3-sampled"].as_str()),
        (SPAN, "1")
    );
}

#[test]
fn a_decision_without_a_trace_is_heeded() {
    let tracer = Tracer::builder().build();
    let sampled = |headers: &[(&str, &str)]| {
        let context = b3(headers);
        tracer.span("root").parent(&context).start().is_recording()
    };
    assert!(!sampled(&[("b3", "0")]));
    assert!(!sampled(&[("x-b3-sampled", "0")]));
    assert!(sampled(&[("b3", "d")]));
    assert!(sampled(&[]));
    tracer.shutdown(std::time::Duration::ZERO);
}

#[test]
fn carriers_replace_what_was_there() {
    let mut list: Vec<(String, String)> = vec![("TraceParent".into(), "old".into())];
    list.set("traceparent", "new".into());
    assert_eq!(list, [("traceparent".to_owned(), "new".to_owned())]);
    let map = HashMap::from([("TraceParent", "x")]);
    let mut found = Vec::new();
    map.each_value("traceparent", &mut |value| found.push(value));
    assert_eq!((found, map.names()), (vec!["x"], vec!["TraceParent"]));
}

#[cfg(feature = "http")]
#[test]
fn http_headers_carry() {
    let mut headers = http::HeaderMap::new();
    headers.append("tracestate", http::HeaderValue::from_static("a=1"));
    headers.append("tracestate", http::HeaderValue::from_static("b=2"));
    headers.append(
        "tracestate",
        http::HeaderValue::from_bytes(b"\xff").unwrap(),
    );
    headers.insert(
        "traceparent",
        format!("00-{TRACE}-{SPAN}-01").parse().unwrap(),
    );
    let context = Propagator::default().extract(&headers);
    let mut out = http::HeaderMap::new();
    Propagator::default().inject(&context, &mut out);
    assert_eq!(out["tracestate"], "a=1,b=2");
}

#[cfg(feature = "rdkafka")]
#[test]
fn kafkas_headers_carry() {
    use rdkafka::message::{Header, Headers, OwnedHeaders};
    let of = |key, value| Header {
        key,
        value: Some(value),
    };
    let old = format!("00-{TRACE}-{SPAN}-00");
    let mut headers = OwnedHeaders::new()
        .insert(of("content-type", "json"))
        .insert(Header::<&str> {
            key: "empty",
            value: None,
        })
        .insert(of("TraceParent", old.as_str()))
        .insert(of("tracestate", "a=1"));
    let context = Propagator::default().extract(&headers);
    assert_eq!(context.span().trace_state().header(), "a=1");
    let sampled = extract(&[("traceparent", &format!("00-{TRACE}-{SPAN}-01"))]);
    Propagator::default().inject(&sampled, &mut headers);
    assert_eq!(
        headers.names(),
        ["content-type", "empty", "tracestate", "traceparent"]
    );
    assert_eq!(headers.get(1).value, None);
    assert!(
        Propagator::default()
            .extract(headers.as_borrowed())
            .span()
            .is_sampled()
    );
    // A value that is no text is left out.
    let headers = OwnedHeaders::new()
        .insert(Header {
            key: "tracestate",
            value: Some(&b"\xff"[..]),
        })
        .insert(of("traceparent", old.as_str()));
    assert_eq!(
        Propagator::default()
            .extract(&headers)
            .span()
            .trace_state()
            .header(),
        ""
    );
}

proptest! {
    /// Whatever arrives, what is sent on is valid, and reads back the same.
    #[test]
    fn what_is_sent_on_reads_back_the_same(
        parent in "(00|cc|ff|.)-[0-9a-f]{31,33}-[0-9a-f]{16}-[0-9a-f]{2}.?",
        state in "([a-z0-9@*/_-]{0,4}(=| |,|[ -~]){0,3}){0,6}",
        baggage in "([a-zA-Z%;=, \"]|%C3%B6|é){0,40}",
        single in "[0-9a-f]{0,33}-?[0-9a-f]{0,17}-?[01d]?",
    ) {
        let headers = [("traceparent", parent.as_str()), ("tracestate", &state), ("baggage", &baggage), ("b3", &single)];
        let propagator = Propagator::new([Format::TraceContext, Format::B3, Format::Baggage]);
        let context = propagator.extract(&headers.as_slice());
        let mut sent: Vec<(String, String)> = Vec::new();
        propagator.inject(&context, &mut sent);
        let again = propagator.extract(&sent);
        prop_assert_eq!(context.baggage(), again.baggage());
        if context.span().is_valid() {
            prop_assert_eq!(context.span(), again.span());
        }
    }
}
