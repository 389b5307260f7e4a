//! The process around the engine, as the shell tells it: the engine itself reads no clock and no file.

use std::path::Path;
use std::sync::Arc;

use crate::config::Config;

/// What INFO prints about the process, and the two things the engine asks of the shell while a command runs.
///
/// All of it may be left at its default: durations are then counted as zero, and CONFIG REWRITE is refused.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Reads the steady clock, in microseconds since the same start as [`Now`](crate::time::Now)'s, to measure commands.
    pub clock: Option<fn() -> u64>,
    /// Gives a file the contents that a function makes of the present ones, at once or not at all.
    pub edit_file: Option<EditFile>,
    /// Listens where a changed configuration says.
    pub listen: Option<Listen>,
    /// Where memory comes from, as INFO names it; [`Host::observe`] takes it to be libc.
    pub allocator: &'static str,
    /// The process' number.
    pub process_id: u32,
    /// The operating system, its release and the architecture.
    pub os: String,
    /// The program's path.
    pub executable: String,
    /// The machine's memory.
    pub total_memory_bytes: u64,
    /// What the process has used so far.
    pub usage: Usage,
}

/// See [`Host::listen`]: the function gives one line for people where it can't, and has changed nothing then.
#[derive(Clone)]
pub struct Listen(pub Arc<Follow>);

/// What [`Listen`] holds.
pub type Follow = dyn Fn(&Config) -> Result<(), String> + Send + Sync;

impl std::fmt::Debug for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listen").finish_non_exhaustive()
    }
}

/// See [`Host::edit_file`].
pub type EditFile = fn(&Path, &dyn Fn(&[u8]) -> Vec<u8>) -> std::io::Result<()>;

/// What the process has used, as the operating system counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory in the machine's RAM.
    pub resident_bytes: u64,
    /// Processor time of the program itself, in microseconds.
    pub user_us: u64,
    /// Processor time of the operating system on its behalf, in microseconds.
    pub system_us: u64,
}

/// What Linux counts processor time in, whatever its timer does: 1/100 s.
const TICK_US: u64 = 10_000;

/// The page size of every Linux this is built for but some arm64.
const PAGE_BYTES: u64 = 4096;

impl Host {
    /// This process. Unknown facts, and all of them where there is no `/proc`, are empty or zero.
    pub fn observe() -> Self {
        let line = |path: &str| {
            std::fs::read_to_string(path)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let kind = match line("/proc/sys/kernel/ostype") {
            name if name.is_empty() => std::env::consts::OS.to_owned(),
            name => name,
        };
        let executable = std::env::current_exe().unwrap_or_default();
        Self {
            clock: None,
            allocator: "libc",
            edit_file: Some(edit_file),
            listen: None,
            process_id: std::process::id(),
            os: format!(
                "{kind} {} {}",
                line("/proc/sys/kernel/osrelease"),
                std::env::consts::ARCH
            ),
            executable: executable.display().to_string(),
            total_memory_bytes: total_memory_bytes(&line("/proc/meminfo")),
            usage: Usage::read(),
        }
    }
}

impl Usage {
    /// As of now.
    pub fn read() -> Self {
        let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        Self::parse(&text).unwrap_or_default()
    }

    /// The fields of proc(5)'s `/proc/pid/stat`; the name, which may hold anything, ends at the last parenthesis.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text
            .get(text.rfind(')')? + 1..)?
            .split_ascii_whitespace()
            .collect();
        // The state, field 3 in proc(5), is the first one here.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            resident_bytes: field(24)? * PAGE_BYTES,
            user_us: field(14)? * TICK_US,
            system_us: field(15)? * TICK_US,
        })
    }
}

fn total_memory_bytes(meminfo: &str) -> u64 {
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes =
        total.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}

/// Writes beside the file, then renames: a reader finds the old text or the new one, never a part.
fn edit_file(path: &Path, edit: &dyn Fn(&[u8]) -> Vec<u8>) -> std::io::Result<()> {
    use std::io::Write as _;
    let old = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        read => read?,
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let partial = path.with_file_name(name);
    let written = std::fs::File::create(&partial)
        .and_then(|mut file| {
            file.write_all(&edit(&old))?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&partial, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_behind_a_name_with_parentheses() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 25 13 0 0 20 0 3 0 99 1000000 250 18446744073709551615";
        assert_eq!(
            Usage::parse(text),
            Some(Usage {
                resident_bytes: 250 * 4096,
                user_us: 250_000,
                system_us: 130_000
            })
        );
        assert_eq!(Usage::parse("7 (a"), None);
        assert_eq!(Usage::parse("7 (a) S 1"), None);
    }

    #[test]
    fn memory_is_read_in_kibibytes() {
        assert_eq!(
            total_memory_bytes("MemFree: 1 kB\nMemTotal:   8 kB\n"),
            8192
        );
        assert_eq!(total_memory_bytes("nothing"), 0);
    }
}
