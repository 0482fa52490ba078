//! Where an export goes: a file that has its name only once it is whole, or standard output.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

/// What is gathered before it is written.
const BUFFER_BYTES: usize = 256 * 1024;

/// See the module.
pub(super) struct Target {
    out: BufWriter<Sink>,
    /// The file as it is called until it is whole, and afterwards.
    names: Option<(PathBuf, PathBuf)>,
    closed_pipe: bool,
}

enum Sink {
    File(File),
    Stdout(io::Stdout),
}

impl Target {
    /// Opens it; `-` is standard output.
    pub(super) fn open(name: &str) -> anyhow::Result<Target> {
        let (sink, names) = match name {
            "-" => (Sink::Stdout(io::stdout()), None),
            name => {
                let (file, names) = create(Path::new(name))?;
                (Sink::File(file), names)
            }
        };
        Ok(Target {
            out: BufWriter::with_capacity(BUFFER_BYTES, sink),
            names,
            closed_pipe: false,
        })
    }

    /// True when who read standard output reads no more.
    pub(super) fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
    }

    /// All is written: the file gets its name.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        match self.flush() {
            Err(_) if self.closed_pipe => return Ok(()),
            flushed => flushed.context("write the last of it")?,
        }
        let Some((part, whole)) = &self.names else {
            return Ok(());
        };
        if let Sink::File(file) = self.out.get_ref() {
            file.sync_all()
                .with_context(|| format!("sync {}", part.display()))?;
        }
        std::fs::rename(part, whole)
            .with_context(|| format!("rename it to {}", whole.display()))?;
        self.names = None;
        Ok(())
    }

    fn noted<T>(&mut self, outcome: io::Result<T>) -> io::Result<T> {
        if let (Err(error), Sink::Stdout(_)) = (&outcome, self.out.get_ref()) {
            self.closed_pipe |= error.kind() == ErrorKind::BrokenPipe;
        }
        outcome
    }
}

/// A file beside the one that is wanted. What is no plain file (a device, a pipe) is written itself.
fn create(whole: &Path) -> anyhow::Result<(File, Option<(PathBuf, PathBuf)>)> {
    let said = || format!("cannot write {}", whole.display());
    if std::fs::metadata(whole).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return Ok((
            File::options().write(true).open(whole).with_context(said)?,
            None,
        ));
    }
    let name = whole.file_name().filter(|_| !whole.is_dir());
    let name = name.ok_or_else(|| anyhow!("{}: a file is wanted", whole.display()))?;
    let part = format!(".{}.{}.part", name.to_string_lossy(), std::process::id());
    let part = whole.with_file_name(part);
    let file = File::create(&part).with_context(said)?;
    Ok((file, Some((part, whole.to_owned()))))
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        self.noted(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.noted(flushed)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some((part, _)) = &self.names {
            let _nothing_better_to_do = std::fs::remove_file(part);
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::File(file) => file.write(bytes),
            Sink::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::File(file) => file.flush(),
            Sink::Stdout(stdout) => stdout.flush(),
        }
    }
}
