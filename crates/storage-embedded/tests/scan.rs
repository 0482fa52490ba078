//! A scan of everything: damage is named and counted, nothing is held that was handed over, and
//! what searches have in the cache stays there.

mod engine_support;

use std::ops::ControlFlow;
use std::sync::Arc;

use engine_support::{Lab, MS, NOW, cold};
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::trace_id;
use tracewell_storage::{ScanQuery, Scanned, SpanScanner};
use tracewell_storage_embedded::EngineOptions;

/// Ten traces of four spans from this number on.
fn spans(from: u64) -> Vec<SpanSpec> {
    let of_trace = |trace: u64| {
        (1..=4).map(move |span| SpanSpec::new(trace, span, NOW + trace * 10 * MS + span))
    };
    (from..from + 10).flat_map(of_trace).collect()
}

/// Two segments of five blocks each, and as many spans in the head.
fn lab() -> Lab {
    let mut lab = Lab::new(EngineOptions {
        block_spans: 8,
        ..cold()
    });
    for from in [0, 100] {
        lab.push(&spans(from));
        lab.seal();
    }
    lab.push(&spans(200));
    lab
}

fn scan(lab: &Lab, query: &ScanQuery) -> (Vec<SpanSpec>, Scanned) {
    let mut got = Vec::new();
    let scanned = lab
        .engine
        .traces()
        .scan_spans(query, &lab.context(), &mut |batch, rows| {
            got.extend(rows.iter().map(|&row| SpanSpec::of(batch.span(row))));
            ControlFlow::Continue(())
        });
    (got, scanned.expect("scan_spans"))
}

#[test]
fn head_comes_first_then_segments_from_the_newest() {
    let (got, scanned) = scan(&lab(), &ScanQuery::default());
    let expected = [spans(200), spans(100), spans(0)].concat();
    assert_eq!(got, expected);
    assert_eq!((scanned.spans, scanned.spans_missing), (120, 0));
    let searched = scanned.searched;
    assert_eq!((searched.segments, searched.blocks_read), (2, 10));
    assert_eq!(searched.head_spans, 40);
}

#[test]
fn a_damaged_block_is_named_and_counted_and_the_rest_comes() {
    let mut lab = lab();
    let file = lab.files(".seg").remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    // Behind the file's head lies its first block.
    bytes[60] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    lab.reopen();
    lab.replay();
    let (got, scanned) = scan(&lab, &ScanQuery::default());
    assert_eq!(scanned.spans_missing, 8, "{scanned:?}");
    assert_eq!(scanned.incomplete.len(), 1);
    let sentence = &scanned.incomplete[0];
    assert!(
        sentence.contains("block 0") && sentence.contains("8 spans are missing"),
        "{sentence}"
    );
    let expected = [spans(200), spans(100), spans(0)[8..].to_vec()].concat();
    assert_eq!(got, expected);
}

#[test]
fn a_segment_whose_data_file_is_gone_counts_as_a_whole() {
    let mut lab = lab();
    std::fs::remove_file(lab.files(".seg").remove(1)).unwrap();
    lab.reopen();
    lab.replay();
    let (got, scanned) = scan(&lab, &ScanQuery::default());
    assert_eq!(scanned.spans_missing, 40, "{scanned:?}");
    let sentence = &scanned.incomplete[0];
    assert!(sentence.contains("its 40 spans are missing"), "{sentence}");
    assert_eq!(got, [spans(200), spans(0)].concat());
}

#[test]
fn segments_outside_of_the_range_are_not_read() {
    let query = ScanQuery {
        start_unix_ns: Some(NOW + 100 * 10 * MS),
        end_unix_ns: Some(NOW + 200 * 10 * MS),
        ..ScanQuery::default()
    };
    let (got, scanned) = scan(&lab(), &query);
    assert_eq!(got, spans(100));
    assert_eq!(scanned.searched.segments_skipped, 1);
    assert_eq!(scanned.searched.blocks_read, 5);
}

#[test]
fn what_searches_keep_in_the_cache_stays_there() {
    let mut lab = lab();
    lab.options.cache_bytes_max = 100_000;
    lab.reopen();
    lab.replay();
    let read = |trace| lab.get(trace_id(trace)).searched.blocks_read;
    assert_eq!((read(3), read(3)), (1, 0));
    for _ in 0..20 {
        scan(&lab, &ScanQuery::default());
    }
    assert_eq!(read(3), 0, "the scan pushed out what a read kept");
    assert_eq!(read(105), 1, "the scan kept what it read");
}

#[test]
fn a_scan_holds_no_head_once_it_has_handed_it_over() {
    let mut lab = lab();
    let weak = Arc::downgrade(&lab.log.last().unwrap().batch);
    lab.log.clear();
    let mut calls = 0;
    let mut held = None;
    let engine = Arc::clone(&lab.engine);
    let scanned = engine
        .traces()
        .scan_spans(&ScanQuery::default(), &lab.context(), &mut |_, _| {
            calls += 1;
            // The first call is the head's, all others are the segments'.
            if calls == 2 {
                lab.seal();
                held = Some(weak.upgrade().is_some());
            }
            ControlFlow::Continue(())
        });
    assert_eq!(scanned.expect("scan_spans").spans, 120);
    assert_eq!(held, Some(false), "the head outlived its seal");
}

#[test]
fn repeats_within_the_head_are_left_out() {
    let mut lab = Lab::new(cold());
    lab.push(&spans(0));
    lab.push(&spans(0));
    let (got, scanned) = scan(&lab, &ScanQuery::default());
    assert_eq!(got, spans(0));
    assert_eq!(scanned.spans, 40);
}
