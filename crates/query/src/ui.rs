//! Serves the web UI. Its files come from the table `build.rs` makes of `ui/dist`, or from the folder
//! `TRACEWELL_UI_DIR` names, for work on the UI. They go out compressed and for ever cacheable under
//! `/_ui/<hash of all files>/`; `index.html`, the answer to every page's address, points there.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

include!(concat!(env!("OUT_DIR"), "/ui_assets.rs"));

/// Addresses whose answer is `index.html`; the UI's router reads the rest. Named one by one, not as a
/// fallback, so that an unknown address stays a 404 and the API's router may have its own.
const PAGES: &[&str] = &[
    "/",
    "/search",
    "/services",
    "/services/",
    "/services/{*rest}",
    "/errors",
    "/errors/{*rest}",
    "/map",
    "/status",
    "/trace",
    "/trace/",
    "/trace/{*rest}",
];

const INDEX: &str = "index.html";
/// How the build writes its own addresses in `index.html`; chunks import each other relatively and follow.
const BUILT_PREFIX: &str = "\"./assets/";

/// Scripts and requests go only to this server; nothing may be framed, embedded or written inline (D24).
/// Styles may be inline: the UI sets widths and colours on elements.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// Shown when the binary was built without `ui/dist`. The API works all the same.
const NO_UI: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Tracewell</title>\
     <h1>Tracewell runs, without its web UI</h1><p>This binary was built without the folder <code>ui/dist</code>. \
     The API is at <a href=\"/api/status\">/api/status</a>. To get the UI, build it with \
     <code>npm ci &amp;&amp; npm run build</code> in <code>ui/</code>, then build Tracewell again, or name the folder \
     in <code>TRACEWELL_UI_DIR</code>.</p></html>\n";

/// The UI's routes, without state; merge them beside the API's.
pub fn routes() -> Router {
    let site = match env::var_os("TRACEWELL_UI_DIR") {
        Some(folder) => Site::Folder(PathBuf::from(folder)),
        None => Site::embedded(ASSETS),
    };
    router(site)
}

fn router(site: Site) -> Router {
    let mut router = Router::new().route("/_ui/{version}/{*path}", get(asset));
    for page in PAGES {
        router = router.route(page, get(index));
    }
    router.with_state(Arc::new(site))
}

/// Where the files are.
enum Site {
    /// In the binary: compressed once, at start.
    Embedded {
        version: String,
        files: BTreeMap<String, File>,
    },
    /// On disk, read for every request: an edit shows at the next reload.
    Folder(PathBuf),
}

#[derive(Clone)]
struct File {
    content_type: &'static str,
    plain: Bytes,
    /// Absent where compressing does not pay.
    gzip: Option<Bytes>,
    etag: String,
}

impl Site {
    fn embedded(assets: &[(&str, &'static [u8], &str)]) -> Self {
        let version = version_of(assets);
        let mut files: BTreeMap<String, File> = assets
            .iter()
            .map(|(path, bytes, etag)| {
                (
                    (*path).to_owned(),
                    File::new(path, Bytes::from_static(bytes), etag),
                )
            })
            .collect();
        if let Some(index) = files.get_mut(INDEX) {
            *index = point_to(&index.plain, &version);
        }
        Self::Embedded { version, files }
    }

    /// `None` when there is no such file.
    fn find(&self, version: Option<&str>, path: &str) -> Option<File> {
        match self {
            // After an upgrade a tab that is still open asks for files of the old version: it gets 404 and offers to reload.
            Self::Embedded { version: ours, .. } if version.is_some_and(|asked| asked != ours) => {
                None
            }
            Self::Embedded { files, .. } => files.get(path).cloned(),
            Self::Folder(folder) => {
                let file = read(folder, path).ok()?;
                Some(if path == INDEX {
                    point_to(&file.plain, "dev")
                } else {
                    file
                })
            }
        }
    }

    fn cache_control(&self) -> &'static str {
        match self {
            Self::Embedded { .. } => FOR_EVER,
            Self::Folder(_) => ASK_AGAIN,
        }
    }
}

impl File {
    fn new(path: &str, plain: Bytes, etag: &str) -> Self {
        let gzip = compress(&plain)
            .ok()
            .filter(|packed| packed.len() < plain.len());
        Self {
            content_type: content_type(path),
            plain,
            gzip,
            etag: format!("\"{etag}\""),
        }
    }

    /// The answer: compressed where the browser takes it, 304 where it has the file already.
    fn answer(&self, asked: &HeaderMap, cache_control: &'static str) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.content_type),
        );
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(cache_control),
        );
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            headers.insert(header::ETAG, etag);
        }
        protect(&mut headers);
        if names(asked, &header::IF_NONE_MATCH, |one| {
            one.trim_start_matches("W/") == self.etag
        }) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        match &self.gzip {
            Some(packed) if names(asked, &header::ACCEPT_ENCODING, takes_gzip) => {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                (headers, packed.clone()).into_response()
            }
            _ => (headers, self.plain.clone()).into_response(),
        }
    }
}

async fn index(State(site): State<Arc<Site>>, asked: HeaderMap) -> Response {
    match site.find(None, INDEX) {
        Some(file) => file.answer(&asked, ASK_AGAIN),
        None => File::new(INDEX, Bytes::from_static(NO_UI.as_bytes()), "none")
            .answer(&asked, "no-store"),
    }
}

async fn asset(
    State(site): State<Arc<Site>>,
    UrlPath((version, path)): UrlPath<(String, String)>,
    asked: HeaderMap,
) -> Response {
    match site.find(Some(&version), &path) {
        Some(file) => file.answer(&asked, site.cache_control()),
        None => {
            let mut headers = HeaderMap::new();
            protect(&mut headers);
            (
                StatusCode::NOT_FOUND,
                headers,
                "no such file in this version of the UI\n",
            )
                .into_response()
        }
    }
}

fn protect(headers: &mut HeaderMap) {
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_SECURITY_POLICY),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
}

/// Whether one of the comma-separated values of a header passes.
fn names(headers: &HeaderMap, name: &HeaderName, passes: impl Fn(&str) -> bool) -> bool {
    let values = headers.get_all(name);
    values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .any(|one| passes(one.trim()))
}

fn takes_gzip(encoding: &str) -> bool {
    let (name, quality) = encoding.split_once(';').unwrap_or((encoding, ""));
    let refused = quality
        .trim()
        .strip_prefix("q=")
        .is_some_and(|q| q.parse() == Ok(0.0_f32));
    matches!(name.trim(), "gzip" | "*") && !refused
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

/// `index.html` with its addresses under the version's prefix.
fn point_to(index: &Bytes, version: &str) -> File {
    let text = String::from_utf8_lossy(index);
    let text = text.replace(BUILT_PREFIX, &format!("\"/_ui/{version}/assets/"));
    let etag = format!("{:016x}", fnv1a64(text.as_bytes()));
    File::new(INDEX, Bytes::from(text), &etag)
}

/// One hash of all paths and contents: any change gives every file a new address.
fn version_of(assets: &[(&str, &'static [u8], &str)]) -> String {
    let all: String = assets
        .iter()
        .flat_map(|(path, _, etag)| [*path, " ", *etag, "\n"])
        .collect();
    format!("{:016x}", fnv1a64(all.as_bytes()))
}

fn compress(plain: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain)?;
    encoder.finish().map(Bytes::from)
}

/// Only plain names below the folder: no `..`, no absolute path.
fn read(folder: &Path, path: &str) -> io::Result<File> {
    let relative = Path::new(path);
    if !relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(io::ErrorKind::NotFound.into());
    }
    let bytes = fs::read(folder.join(relative))?;
    let etag = format!("{:016x}", fnv1a64(&bytes));
    Ok(File::new(path, Bytes::from(bytes), &etag))
}

/// As in `build.rs` and `ui/vite.config.ts`: easy to compute anywhere, and only ever compared with itself.
fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
