//! Who calls whom, in every order of arrival.

use tracewell_model::{SpanId, SpanKind};

use super::{Call, Joined, Seen, Service, WINDOW_NS, Window};
use crate::tally::Counted;

const CART: Service = 1;
const STOCK: Service = 2;
const MAIL: Service = 3;
const ROOM: usize = 1 << 20;

fn seen(id: u8, parent: u8, service: Service, kind: SpanKind) -> Seen {
    Seen {
        trace: 1,
        span_id: SpanId([id; 8]),
        parent: SpanId([parent; 8]),
        service,
        kind,
        shared: false,
        counted: Counted {
            step: 7,
            bucket: u16::from(id),
            error: false,
        },
    }
}

fn shared(span: Seen) -> Seen {
    Seen {
        shared: true,
        ..span
    }
}

/// The span called by a service.
fn call(parent: Service, span: Seen) -> Call {
    Call {
        parent,
        child: span.service,
        callee: span.counted,
    }
}

/// Each span in a batch of its own, at these times.
fn run(spans: &[(u64, Seen)], bytes_max: usize) -> Joined {
    let (mut window, mut joined) = (Window::default(), Joined::default());
    for (arrived_unix_ns, span) in spans {
        window.advance(*arrived_unix_ns, &mut joined);
        window.add(&[*span], bytes_max, &mut joined);
    }
    window.clear(&mut joined);
    assert_eq!(window.bytes(), 0, "what is given up is given back");
    joined.calls.sort();
    joined
}

fn permutations(spans: &[Seen]) -> Vec<Vec<Seen>> {
    let Some((first, rest)) = spans.split_first() else {
        return vec![Vec::new()];
    };
    let mut all = Vec::new();
    for shorter in permutations(rest) {
        for at in 0..=shorter.len() {
            let mut longer = shorter.clone();
            longer.insert(at, *first);
            all.push(longer);
        }
    }
    all
}

/// These calls and unjoined spans come out, however the spans arrive.
fn check(spans: &[Seen], calls: &[Call], unjoined: u64) {
    let mut calls = calls.to_vec();
    calls.sort();
    for order in permutations(spans) {
        let timed: Vec<_> = order.iter().map(|span| (WINDOW_NS, *span)).collect();
        let joined = run(&timed, ROOM);
        assert_eq!(joined.calls, calls, "{order:#?}");
        assert_eq!(joined.unjoined.no_parent_in_window, unjoined, "{order:#?}");
        assert_eq!(joined.unjoined.over_cap, 0);
    }
}

#[test]
fn a_client_calls_a_server() {
    let root = seen(1, 0, CART, SpanKind::Server);
    let client = seen(2, 1, CART, SpanKind::Client);
    let server = seen(3, 2, STOCK, SpanKind::Server);
    let inner = seen(4, 3, STOCK, SpanKind::Internal);
    check(&[root, client, server, inner], &[call(CART, server)], 0);
}

#[test]
fn spans_without_kinds_call_by_service_alone() {
    let kind = SpanKind::Unspecified;
    let (root, stock) = (seen(1, 0, CART, kind), seen(2, 1, STOCK, kind));
    let (mail, inner) = (seen(3, 2, MAIL, kind), seen(4, 1, CART, kind));
    check(
        &[root, stock, mail, inner],
        &[call(CART, stock), call(STOCK, mail)],
        0,
    );
}

#[test]
fn an_orphan_is_counted_and_makes_no_edge() {
    let orphan = seen(1, 9, CART, SpanKind::Server);
    let child = seen(2, 1, STOCK, SpanKind::Server);
    check(&[orphan, child], &[call(CART, child)], 1);
}

#[test]
fn a_shared_id_is_a_call_from_its_client_to_its_server() {
    let root = seen(1, 0, CART, SpanKind::Server);
    let client = seen(2, 1, CART, SpanKind::Client);
    let server = shared(seen(2, 1, STOCK, SpanKind::Server));
    // Children of the shared id belong to the side of their own service, or to the server.
    let of_stock = seen(3, 2, STOCK, SpanKind::Internal);
    let of_cart = seen(4, 2, CART, SpanKind::Internal);
    let next = seen(5, 3, STOCK, SpanKind::Client);
    let mail = shared(seen(5, 3, MAIL, SpanKind::Server));
    let calls = [call(CART, server), call(STOCK, mail)];
    check(&[root, client, server, of_stock, of_cart], &calls[..1], 0);
    check(&[root, client, server, next, mail, of_stock], &calls, 0);
}

#[test]
fn a_shared_root_needs_no_mark() {
    let client = seen(1, 0, CART, SpanKind::Client);
    let server = seen(1, 0, STOCK, SpanKind::Server);
    check(&[client, server], &[call(CART, server)], 0);
    check(&[server], &[], 0);
}

#[test]
fn a_shared_server_without_its_client_is_counted() {
    check(&[shared(seen(2, 1, STOCK, SpanKind::Server))], &[], 1);
}

#[test]
fn an_inner_span_under_another_services_client_is_a_call_when_no_server_shows_up() {
    let client = seen(1, 0, CART, SpanKind::Client);
    let inner = seen(2, 1, STOCK, SpanKind::Internal);
    check(&[client, inner], &[call(CART, inner)], 0);
}

#[test]
fn other_traces_do_not_join() {
    let parent = Seen {
        trace: 2,
        ..seen(1, 0, CART, SpanKind::Client)
    };
    check(&[parent, seen(2, 1, STOCK, SpanKind::Server)], &[], 1);
}

#[test]
fn neighbouring_epochs_join_and_farther_ones_do_not() {
    let (client, server) = (
        seen(1, 0, CART, SpanKind::Client),
        seen(2, 1, STOCK, SpanKind::Server),
    );
    for (first, second) in [(client, server), (server, client)] {
        for (later, calls) in [
            (0, 1),
            (WINDOW_NS, 1),
            (2 * WINDOW_NS - 1, 1),
            (2 * WINDOW_NS, 0),
        ] {
            let joined = run(&[(WINDOW_NS, first), (WINDOW_NS + later, second)], ROOM);
            assert_eq!(joined.calls.len(), calls, "{later}");
            assert_eq!(joined.unjoined.no_parent_in_window, 1 - calls as u64);
        }
    }
}

#[test]
fn arrival_that_goes_back_changes_nothing() {
    let (client, server) = (
        seen(1, 0, CART, SpanKind::Client),
        seen(2, 1, STOCK, SpanKind::Server),
    );
    let joined = run(&[(9 * WINDOW_NS, client), (0, server)], ROOM);
    assert_eq!(joined.calls, [call(CART, server)]);
}

#[test]
fn the_cap_holds_and_is_named() {
    let bytes_max = 4_096;
    let (mut window, mut joined) = (Window::default(), Joined::default());
    window.advance(WINDOW_NS, &mut joined);
    for id in 0..10_000u64 {
        let span = Seen {
            span_id: SpanId((2 * id + 1).to_be_bytes()),
            parent: SpanId((2 * id + 2).to_be_bytes()),
            ..seen(1, 1, STOCK, SpanKind::Server)
        };
        window.add(&[span], bytes_max, &mut joined);
        assert!(window.bytes() <= bytes_max);
    }
    window.clear(&mut joined);
    assert_eq!(joined.unjoined.over_cap, 10_000, "{joined:?}");
    assert_eq!(joined.unjoined.no_parent_in_window, 0);
}

#[test]
fn over_the_cap_the_newest_spans_still_join() {
    let bytes_max = 16 * 1_024;
    let (mut window, mut joined) = (Window::default(), Joined::default());
    window.advance(WINDOW_NS, &mut joined);
    for id in (1..20_000u64).step_by(2) {
        let client = Seen {
            span_id: SpanId(id.to_be_bytes()),
            ..seen(1, 0, CART, SpanKind::Client)
        };
        let server = Seen {
            span_id: SpanId((id + 1).to_be_bytes()),
            parent: client.span_id,
            ..seen(1, 1, STOCK, SpanKind::Server)
        };
        for span in [server, client] {
            window.add(&[span], bytes_max, &mut joined);
            assert!(window.bytes() <= bytes_max);
        }
    }
    assert_eq!(joined.calls.len(), 10_000);
    assert_eq!(joined.unjoined.over_cap, 0);
}
