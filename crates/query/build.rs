//! Lists `ui/dist`, the committed build of the UI, and writes it as one table for `src/ui.rs` to include.
//! No Node and no crate is needed; without the folder the table is empty and the server says so on its pages.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const DIST: &str = "../../ui/dist";

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let dist = manifest.join(DIST);
    tell_cargo(&dist);
    let mut files = Vec::new();
    if dist.is_dir() {
        list(&dist, &mut files)?;
    }
    files.sort();
    fs::write(out.join("ui_assets.rs"), table(&dist, &files)?)
}

/// Cargo watches a folder with all that is in it; a folder that is missing is asked for on every build.
#[allow(
    clippy::print_stdout,
    reason = "this is how a build script speaks to cargo"
)]
fn tell_cargo(dist: &Path) {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", dist.display());
}

/// Hidden files (`.sources`, for the freshness test) are not served.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn table(dist: &Path, files: &[PathBuf]) -> io::Result<String> {
    let mut text = String::from("static ASSETS: &[(&str, &[u8], &str)] = &[\n");
    for file in files {
        let name = file.strip_prefix(dist).map_err(io::Error::other)?;
        let name = name.to_string_lossy().replace('\\', "/");
        let etag = fnv1a64(&fs::read(file)?);
        let path = file.to_string_lossy();
        writeln!(
            text,
            "    ({name:?}, include_bytes!({path:?}), \"{etag:016x}\"),"
        )
        .map_err(io::Error::other)?;
    }
    text.push_str("];\n");
    Ok(text)
}

fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
