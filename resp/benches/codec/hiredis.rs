//! hiredis as a contestant: a small C program, built at the first use, that reads the same bytes from a file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::measure::Contestant;

/// Nothing where there is no C compiler or no hiredis.
pub(crate) fn contestant(
    name: impl Into<String>,
    wire: &'static [u8],
    objects: bool,
    piece: usize,
) -> Option<Contestant> {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let program = program()?;
    let file = program.with_file_name(format!("wire-{}", FILES.fetch_add(1, Ordering::Relaxed)));
    std::fs::write(&file, wire).ok()?;
    Some(Contestant::external(name, move |times, samples| {
        let output = Command::new(program)
            .arg(&file)
            .arg(if objects { "1" } else { "0" })
            .args([piece.min(wire.len()), times, samples].map(|number| number.to_string()))
            .output()
            .expect("the program that was just built");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (ns, units) = text.trim().split_once(' ').expect("two numbers");
        (
            ns.parse().expect("a number"),
            units.parse().expect("a number"),
        )
    }))
}

fn program() -> Option<&'static PathBuf> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM
        .get_or_init(|| {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/hiredis.c");
            let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hiredis-bench");
            if is_newer(&program, &source) {
                return Some(program);
            }
            let built = Command::new("cc")
                .args(["-O3", "-o"])
                .arg(&program)
                .arg(&source)
                .arg("-lhiredis")
                .output();
            match built {
                Ok(output) if output.status.success() => Some(program),
                _ => {
                    eprintln!("without hiredis: needs a C compiler, and hiredis with its headers (libhiredis-dev)");
                    None
                }
            }
        })
        .as_ref()
}

fn is_newer(program: &Path, source: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    modified(program) > modified(source)
}
