//! Class 10 of RELIABILITY.md: compressed bodies that are bombs, damaged, or not what they say.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use tracewell_wire::DecodeError;
use tracewell_wire::decompress::{Decompressor, Encoding, decompress};

const LIMIT: usize = 2 << 20;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).expect("it is a level");
    encoder.include_checksum(true).expect("it can");
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn run(encoding: &str, body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    decompress(Encoding::parse(encoding).expect("it is known"), body, LIMIT)
}

/// Text that compresses about as well as spans do.
fn sample() -> Vec<u8> {
    (0..2_000)
        .flat_map(|i| format!("span {} of {i};", i % 7).into_bytes())
        .collect()
}

type Compress = fn(&[u8]) -> Vec<u8>;
const CODINGS: [(&str, Compress); 4] = [
    ("gzip", gzip),
    ("zstd", zstd),
    ("deflate", zlib),
    ("deflate", raw_deflate),
];

#[test]
fn what_is_compressed_comes_back() {
    for (name, compress) in CODINGS {
        for body in [sample(), Vec::new(), vec![0; 1 << 20], vec![7]] {
            assert_eq!(
                run(name, &compress(&body)).expect("it is sound"),
                body,
                "{name}"
            );
        }
    }
    assert_eq!(run("identity", b"abc").expect("it is itself"), b"abc");
    assert_eq!(run("", b"").expect("it is itself"), b"");
}

#[test]
fn what_failed_before_does_not_show() {
    let (mut used, mut out) = (Decompressor::default(), vec![9; 5]);
    let whole = zstd(&sample());
    for broken in [&whole[..whole.len() / 2], &whole[..9], b"nothing"] {
        assert!(
            used.decompress(Encoding::ZSTD, broken, LIMIT, &mut out)
                .is_err()
        );
        for (name, compress) in CODINGS {
            let encoding = Encoding::parse(name).expect("it is known");
            let body = &sample()[..700];
            let again = used.decompress(encoding, &compress(body), LIMIT, &mut out);
            assert_eq!((again, &out[..]), (Ok(()), body), "{name}");
        }
    }
}

#[test]
fn several_members_are_one_body() {
    for (name, compress) in [("gzip", gzip as Compress), ("zstd", zstd)] {
        let two = [compress(b"first "), compress(b""), compress(b"second")].concat();
        assert_eq!(
            run(name, &two).expect("it is sound"),
            b"first second",
            "{name}"
        );
    }
}

#[test]
fn two_codings_in_a_row_are_undone_from_the_last() {
    let body = sample();
    assert_eq!(
        run("gzip, zstd", &zstd(&gzip(&body))).expect("it is sound"),
        body
    );
    assert_eq!(
        run("identity, GZIP", &gzip(&body)).expect("it is sound"),
        body
    );
    assert_eq!(
        run("gzip,gzip", &gzip(&gzip(&body))).expect("it is sound"),
        body
    );
    // gzip of gzip, announced once, is what the sender meant to send.
    assert_eq!(
        run("gzip", &gzip(&gzip(&body))).expect("it is sound"),
        gzip(&body)
    );
    for header in ["br", "gzip, zstd, gzip", "gzip;q=1", "chunked", "\u{1b}"] {
        assert!(Encoding::parse(header).is_err(), "{header}");
    }
}

#[test]
fn a_body_cut_anywhere_is_refused() {
    for (name, compress) in CODINGS {
        let whole = compress(&sample()[..600]);
        for end in 0..whole.len() {
            let cut = run(name, &whole[..end]);
            assert!(
                matches!(cut, Err(DecodeError::Malformed(_))),
                "{name} {end}: {cut:?}"
            );
        }
    }
}

#[test]
fn bytes_behind_the_end_are_refused() {
    for (name, compress) in CODINGS {
        for garbage in [&b"\0"[..], b"garbage", &[0; 64]] {
            let body = [&compress(&sample()), garbage].concat();
            let seen = run(name, &body);
            assert!(
                matches!(seen, Err(DecodeError::Malformed(_))),
                "{name}: {garbage:?}"
            );
        }
    }
}

#[test]
fn a_changed_byte_is_noticed_where_the_format_has_a_good_checksum() {
    // zlib's is Adler-32: it misses one of these bytes, as the C library does.
    for (name, compress) in &CODINGS[..2] {
        let body = sample();
        let whole = compress(&body);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            if let Ok(seen) = run(name, &damaged) {
                // Header fields such as gzip's time and operating system change nothing.
                assert_eq!(seen, body, "{name} at {at}");
            }
        }
    }
}

#[test]
fn a_wrong_name_for_the_coding_is_refused() {
    for (name, body) in [
        ("gzip", zstd(b"x")),
        ("zstd", gzip(b"x")),
        ("gzip", b"[]".to_vec()),
        ("zstd", b"[]".to_vec()),
        ("deflate", gzip(b"x")),
        ("gzip", zlib(b"x")),
    ] {
        assert!(
            matches!(run(name, &body), Err(DecodeError::Malformed(_))),
            "{name}"
        );
    }
}

#[test]
fn bombs_stop_at_the_caps() {
    let zeros = vec![0; 16 << 20];
    for (name, compress) in CODINGS {
        let bomb = compress(&zeros);
        assert!(bomb.len() < zeros.len() / 500);
        let seen = run(name, &bomb);
        assert!(matches!(seen, Err(DecodeError::TooLarge { .. })), "{name}");
        // A batch far below the body's cap is told which cap it met.
        let words = seen.expect_err("a bomb").to_string();
        assert!(words.contains("100 times their compressed size"), "{words}");
    }
    let nested = gzip(&gzip(&zeros));
    assert!(matches!(
        run("gzip, gzip", &nested),
        Err(DecodeError::TooLarge { .. })
    ));
    let large = vec![b'x'; LIMIT + 1];
    assert!(matches!(
        run("identity", &large),
        Err(DecodeError::TooLarge { limit: LIMIT })
    ));
    // A ratio of 1:30, as real batches have, is fine up to the limit.
    let mut random = fastrand::Rng::with_seed(2);
    let line: Vec<u8> = (0..4_000).map(|_| random.u8(..)).collect();
    let body: Vec<u8> = line
        .iter()
        .flat_map(|byte| [*byte; 30])
        .cycle()
        .take(LIMIT)
        .collect();
    assert_eq!(run("gzip", &gzip(&body)).map(|body| body.len()), Ok(LIMIT));
}

#[test]
fn a_zstd_window_over_the_cap_is_refused() {
    // A frame header asking for a window of 2^31 bytes, then an empty last block.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00];
    let seen = run("zstd", &frame);
    assert!(matches!(seen, Err(DecodeError::Malformed(_))), "{seen:?}");
}

#[test]
fn random_bytes_never_panic() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..5_000 {
        let mut body: Vec<u8> = (0..random.usize(..80)).map(|_| random.u8(..)).collect();
        for (name, magic) in [
            ("gzip", &[0x1f, 0x8b, 8][..]),
            ("zstd", &[0x28, 0xb5, 0x2f, 0xfd]),
            ("deflate", &[0x78]),
        ] {
            body.splice(0..0, magic.iter().copied());
            let _any_outcome = run(name, &body);
        }
    }
}
