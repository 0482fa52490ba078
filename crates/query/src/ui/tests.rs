//! The UI's routes asked as a browser asks them, the freshness of the committed build, and its budgets.

use std::path::{Path, PathBuf};

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;

/// Keep equal to SOURCES in ui/vite.config.ts.
const SOURCES: &[&str] = &[
    "index.html",
    "package-lock.json",
    "package.json",
    "public",
    "src",
    "tsconfig.json",
    "vite.config.ts",
];

const SMALL: &[(&str, &[u8], &str)] = &[
    (
        "assets/index.js",
        b"import './page.js';",
        "0000000000000001",
    ),
    (
        "index.html",
        b"<script src=\"./assets/index.js\"></script>",
        "0000000000000002",
    ),
];

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &HeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

async fn ask(router: Router, path: &str, headers: &[(HeaderName, &str)]) -> Answer {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let response = router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

fn small() -> Router {
    router(Site::embedded(SMALL))
}

/// The address of the script, as `index.html` gives it.
async fn script_of(router: Router) -> String {
    let index = ask(router, "/", &[]).await;
    index.text().split('"').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn every_page_is_the_index_and_is_asked_for_again() {
    let first = ask(small(), "/", &[]).await;
    for path in [
        "/search?q=1",
        "/services",
        "/services/a%2Fb/c",
        "/services/",
        "/trace",
        "/errors",
        "/map",
        "/status",
        "/trace/4bf9",
    ] {
        let page = ask(small(), path, &[]).await;
        assert_eq!(
            (page.status, page.text()),
            (StatusCode::OK, first.text()),
            "{path}"
        );
        assert_eq!(page.header(&header::CACHE_CONTROL), "no-cache", "{path}");
        assert_eq!(
            page.header(&header::CONTENT_TYPE),
            "text/html; charset=utf-8",
            "{path}"
        );
    }
    assert_eq!(
        ask(small(), "/no-such-page", &[]).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn every_answer_forbids_foreign_scripts_frames_and_sniffing() {
    for path in ["/", "/trace/1", "/_ui/0/assets/nothing.js"] {
        let page = ask(small(), path, &[]).await;
        let policy = page.header(&header::CONTENT_SECURITY_POLICY);
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "object-src 'none'",
        ] {
            assert!(
                policy.split("; ").any(|one| one == part),
                "{path}: {part} is missing in {policy}"
            );
        }
        assert_eq!(
            page.header(&header::X_CONTENT_TYPE_OPTIONS),
            "nosniff",
            "{path}"
        );
        assert_eq!(
            page.header(&header::REFERRER_POLICY),
            "no-referrer",
            "{path}"
        );
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_the_address_the_index_gives() {
    let script = script_of(small()).await;
    let asset = ask(small(), &script, &[]).await;
    assert_eq!(
        (asset.status, asset.text()),
        (StatusCode::OK, "import './page.js';"),
        "{script}"
    );
    assert_eq!(asset.header(&header::CACHE_CONTROL), FOR_EVER);
    assert_eq!(
        asset.header(&header::CONTENT_TYPE),
        "text/javascript; charset=utf-8"
    );
    for missing in [
        "/_ui/0123456789abcdef/assets/index.js",
        &script.replace("index.js", "other.js"),
    ] {
        assert_eq!(
            ask(small(), missing, &[]).await.status,
            StatusCode::NOT_FOUND,
            "{missing}"
        );
    }
}

#[tokio::test]
async fn a_browser_that_has_the_file_gets_304() {
    for path in ["/".to_owned(), script_of(small()).await] {
        let etag = ask(small(), &path, &[])
            .await
            .header(&header::ETAG)
            .to_owned();
        let again = ask(small(), &path, &[(header::IF_NONE_MATCH, &etag)]).await;
        assert_eq!(
            (again.status, again.body.len()),
            (StatusCode::NOT_MODIFIED, 0),
            "{path}"
        );
        let changed = ask(small(), &path, &[(header::IF_NONE_MATCH, "\"other\"")]).await;
        assert_eq!(changed.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn gzip_goes_to_those_who_take_it() {
    static LONG: [u8; 4096] = [b' '; 4096];
    let assets: &[(&str, &'static [u8], &str)] = &[("index.html", &LONG, "1")];
    let with = |accepts| ask(router(Site::embedded(assets)), "/", accepts);
    let packed = with(&[(header::ACCEPT_ENCODING, "br, gzip;q=0.8")]).await;
    assert_eq!(packed.header(&header::CONTENT_ENCODING), "gzip");
    assert_eq!(packed.body.slice(..2), Bytes::from_static(&[0x1f, 0x8b]));
    for plain in [&[(header::ACCEPT_ENCODING, "br, gzip;q=0")][..], &[]] {
        let page = with(plain).await;
        assert_eq!(
            (page.header(&header::CONTENT_ENCODING), page.body.len()),
            ("", LONG.len())
        );
    }
}

#[tokio::test]
async fn without_a_build_the_page_says_so() {
    let page = ask(router(Site::embedded(&[])), "/", &[]).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text().contains("without its web UI"),
        "{}",
        page.text()
    );
}

#[tokio::test]
async fn a_folder_is_served_as_it_is_now_and_nothing_above_it() {
    let dist = ui_folder().join("dist");
    let site = || router(Site::Folder(dist.clone()));
    let script = script_of(site()).await;
    assert!(
        script.is_empty() || script == "en" || script.starts_with("/_ui/dev/"),
        "{script}"
    );
    let asset = ask(site(), "/_ui/dev/assets/index.js", &[]).await;
    assert_eq!(
        (asset.status, asset.header(&header::CACHE_CONTROL)),
        (StatusCode::OK, "no-cache")
    );
    for above in [
        "/_ui/dev/../package.json",
        "/_ui/dev/%2e%2e/package.json",
        "/_ui/dev//etc/passwd",
    ] {
        assert_eq!(
            ask(site(), above, &[]).await.status,
            StatusCode::NOT_FOUND,
            "{above}"
        );
    }
}

#[test]
fn a_changed_file_changes_every_address() {
    let other: &[(&str, &[u8], &str)] = &[("index.html", b"", "0000000000000003")];
    assert_ne!(version_of(SMALL), version_of(other));
}

fn ui_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui")
}

fn files_under(path: &Path, files: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        return files.push(path.to_owned());
    }
    for entry in fs::read_dir(path).unwrap() {
        files_under(&entry.unwrap().path(), files);
    }
}

/// `<hash> <path>` of every source file, as the build wrote it into `dist/.sources`.
fn sources_now() -> Vec<String> {
    let ui = ui_folder();
    let mut files = Vec::new();
    for source in SOURCES {
        files_under(&ui.join(source), &mut files);
    }
    let mut lines: Vec<(String, u64)> = files
        .iter()
        .map(|file| {
            let name = file
                .strip_prefix(&ui)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            (name, fnv1a64(&fs::read(file).unwrap()))
        })
        .collect();
    lines.sort();
    lines
        .into_iter()
        .map(|(name, hash)| format!("{hash:016x} {name}"))
        .collect()
}

#[test]
fn the_committed_build_is_of_these_sources() {
    let written = fs::read_to_string(ui_folder().join("dist/.sources")).unwrap();
    let (built, now) = (
        written.lines().map(str::to_owned).collect::<Vec<_>>(),
        sources_now(),
    );
    let changed: Vec<_> = now.iter().filter(|line| !built.contains(line)).collect();
    let gone: Vec<_> = built.iter().filter(|line| !now.contains(line)).collect();
    assert!(
        changed.is_empty() && gone.is_empty(),
        "ui/dist is stale: run `npm run build` in ui/ and commit it\nnow: {changed:#?}\nbuilt from: {gone:#?}"
    );
}

fn packed_bytes(wanted: impl Fn(&str) -> bool) -> usize {
    ASSETS
        .iter()
        .filter(|(path, _, _)| wanted(path))
        .map(|(_, bytes, _)| compress(bytes).unwrap().len())
        .sum()
}

/// The budgets of UI.md, in bytes as they cross the network.
#[test]
fn the_build_keeps_its_budgets() {
    let first = packed_bytes(|path| {
        matches!(
            path,
            "index.html" | "assets/index.js" | "assets/style.css" | "assets/theme.js"
        )
    });
    assert!(
        first > 0 && first <= 40 * 1024,
        "first load is {first} bytes compressed, 40 KB allowed"
    );
    for (path, _, _) in ASSETS {
        let bytes = packed_bytes(|other| other == *path);
        assert!(
            bytes <= 45 * 1024,
            "{path} is {bytes} bytes compressed, 45 KB allowed"
        );
    }
}

/// `${…}` is the reader's own server in a command to copy; w3.org names XML namespaces, which nobody fetches.
#[test]
fn the_build_names_no_foreign_host() {
    for (path, bytes, _) in ASSETS {
        let text = String::from_utf8_lossy(bytes);
        for rest in text.split("://").skip(1) {
            let allowed = rest.starts_with("${") || rest.starts_with("www.w3.org/");
            assert!(
                allowed,
                "{path}: ://{}",
                rest.chars().take(40).collect::<String>()
            );
        }
    }
}
