//! How parameters are read, set and written: redis.conf, the command line, CONFIG.

use std::collections::{BTreeMap, BTreeSet};

use crate::changes::Class;
use crate::config::{Config, ConfigError, OutputLimit};
use crate::parameters::{PARAMETERS, find};
use crate::value::{PackedLimits, glob};

impl Default for Config {
    fn default() -> Self {
        let mut config = Self {
            port: 0,
            bind: Vec::new(),
            unixsocket: Vec::new(),
            unixsocketperm: Vec::new(),
            protected_mode: true,
            tcp_backlog: 0,
            tcp_keepalive: 0,
            timeout: 0,
            maxclients: 0,
            databases: 0,
            io_threads: 0,
            hz: 0,
            requirepass: Vec::new(),
            maxmemory: 0,
            maxmemory_policy: "",
            maxmemory_samples: 0,
            proto_max_bulk_len: 0,
            client_query_buffer_limit: 0,
            output_limits: [OutputLimit::default(); 3],
            notify_keyspace_events: Class::NONE,
            packed: PackedLimits::default(),
            hll_sparse_max_bytes: 0,
            slowlog_log_slower_than: 0,
            slowlog_max_len: 0,
            latency_monitor_threshold: 0,
            loglevel: "",
            logfile: Vec::new(),
            dir: Vec::new(),
            dbfilename: Vec::new(),
            config_file: None,
            save: Vec::new(),
            tracking_table_max_keys: 0,
            latency_tracking: false,
            latency_percentiles: Vec::new(),
            enable_debug_command: "",
            maxmemory_clients: 0,
            lfu_log_factor: 0,
            lfu_decay_time: 0,
            stored: BTreeMap::new(),
        };
        for parameter in PARAMETERS {
            // A test sets every default, so none can be refused here.
            let _ = parameter.set(&mut config, parameter.default.as_bytes());
        }
        config
    }
}

impl Config {
    /// The value of a parameter as CONFIG GET prints it.
    pub fn value(&self, name: &str) -> Option<Vec<u8>> {
        find(name.as_bytes()).map(|parameter| parameter.print(self))
    }

    /// Names and values of the parameters that match a glob pattern, aliases included. A name that is no pattern is
    /// given back as it was written.
    pub fn matching(&self, pattern: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        if !pattern.iter().any(|byte| b"*?[".contains(byte)) {
            let found = find(pattern).map(|parameter| (pattern.to_vec(), parameter.print(self)));
            return found.into_iter().collect();
        }
        let names = PARAMETERS
            .iter()
            .filter(|parameter| !parameter.hidden)
            .flat_map(|parameter| {
                [parameter.name, parameter.alias]
                    .into_iter()
                    .filter(|name| !name.is_empty())
                    .map(move |name| (name.as_bytes(), parameter))
            });
        names
            .filter(|(name, _)| glob::matches_ignore_case(pattern, name))
            .map(|(name, parameter)| (name.to_vec(), parameter.print(self)))
            .collect()
    }

    /// Sets a parameter from a file or the command line.
    ///
    /// # Errors
    /// An unknown name, or a value that is not of the parameter's type or range.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), ConfigError> {
        let fail = |reason: String| ConfigError {
            name: String::from_utf8_lossy(name).into_owned(),
            reason,
        };
        let parameter = find(name)
            .ok_or_else(|| fail("Bad directive or wrong number of arguments".to_owned()))?;
        parameter.set(self, value).map_err(fail)
    }

    /// Whether there is such a parameter; within, why it can't be set while the server runs.
    pub fn may_set(name: &[u8]) -> Option<Result<(), &'static str>> {
        find(name).map(|parameter| parameter.fixed.map_or(Ok(()), Err))
    }

    /// Whether the parameter's value is a secret.
    pub fn is_secret(name: &[u8]) -> bool {
        find(name).is_some_and(|parameter| parameter.secret)
    }

    /// Reads the text of a redis.conf.
    ///
    /// # Errors
    /// The first line that is not a known directive with a legal value.
    pub fn read(&mut self, text: &[u8]) -> Result<(), ConfigError> {
        let mut saves: Vec<u8> = Vec::new();
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let words = words(line).ok_or_else(|| ConfigError {
                name: String::from_utf8_lossy(line).into_owned(),
                reason: "Unbalanced quotes in configuration line".to_owned(),
            })?;
            let Some((name, values)) = words.split_first() else {
                continue;
            };
            let mut value = values.join(&b' ');
            if name.eq_ignore_ascii_case(b"save") {
                // The first such line replaces the default, the others add to it, an empty one takes all back.
                if !value.is_empty() && !saves.is_empty() {
                    value = [saves.as_slice(), &value].join(&b' ');
                }
                saves.clone_from(&value);
            }
            self.set(name, &value)?;
        }
        Ok(())
    }

    /// The text of a redis.conf made to say what is configured now: comments, order and what is right already stay,
    /// changed parameters get their new value in their old place, and what differs from the defaults is added behind.
    pub fn rewritten(&self, old: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        let mut written = BTreeSet::new();
        for line in old
            .strip_suffix(b"\n")
            .unwrap_or(old)
            .split(|byte| *byte == b'\n')
        {
            let first = words(line.trim_ascii()).and_then(|words| words.first().cloned());
            let parameter = first
                .filter(|word| !word.starts_with(b"#"))
                .and_then(|word| find(&word));
            match parameter {
                Some(parameter) if written.insert(parameter.name) => {
                    text.extend_from_slice(&directive(parameter.name, &parameter.print(self)));
                }
                Some(_) => {}
                None => {
                    text.extend_from_slice(line);
                    text.push(b'\n');
                }
            }
        }
        let defaults = Self::default();
        for parameter in PARAMETERS.iter().filter(|parameter| !parameter.hidden) {
            let value = parameter.print(self);
            if value != parameter.print(&defaults) && written.insert(parameter.name) {
                text.extend_from_slice(&directive(parameter.name, &value));
            }
        }
        text
    }

    /// Reads a command line: an optional file first, then `--name value …`.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn from_arguments(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut config = Self::default();
        let mut arguments = arguments.into_iter().peekable();
        if let Some(path) = arguments.next_if(|first| !first.starts_with("--")) {
            let text = std::fs::read(&path).map_err(|error| {
                format!("Fatal error, can't open config file '{path}': {error}")
            })?;
            config.read(&text).map_err(|error| error.to_string())?;
            config.config_file = Some(path);
        }
        while let Some(flag) = arguments.next() {
            let name = flag
                .strip_prefix("--")
                .ok_or_else(|| format!("'{flag}': Bad directive or wrong number of arguments"))?;
            let mut values = Vec::new();
            while let Some(value) = arguments.next_if(|next| !next.starts_with("--")) {
                values.push(value);
            }
            config
                .set(name.as_bytes(), values.join(" ").as_bytes())
                .map_err(|error| error.to_string())?;
        }
        Ok(config)
    }
}

/// Parameters whose value is several words, which are not quoted together.
const OF_WORDS: &[&str] = &[
    "bind",
    "client-output-buffer-limit",
    "latency-tracking-info-percentiles",
    "oom-score-adj-values",
    "save",
    "shutdown-on-sigint",
    "shutdown-on-sigterm",
];

/// A parameter as lines of a redis.conf.
fn directive(name: &str, value: &[u8]) -> Vec<u8> {
    let each = match name {
        "client-output-buffer-limit" => 4,
        "save" => 2,
        _ => usize::MAX,
    };
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"'\\#".contains(byte);
    let values: Vec<Vec<u8>> = if OF_WORDS.contains(&name) && !value.is_empty() {
        let words: Vec<&[u8]> = value.split(|byte| *byte == b' ').collect();
        words.chunks(each).map(|words| words.join(&b' ')).collect()
    } else if !value.is_empty() && value.iter().all(plain) {
        vec![value.to_vec()]
    } else {
        vec![quoted(value)]
    };
    let lines = values
        .iter()
        .map(|value| [name.as_bytes(), b" ", value, b"\n"].concat());
    lines.collect::<Vec<_>>().concat()
}

fn quoted(value: &[u8]) -> Vec<u8> {
    let mut text = vec![b'"'];
    for byte in value {
        match byte {
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', *byte]),
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\r' => text.extend_from_slice(b"\\r"),
            b'\t' => text.extend_from_slice(b"\\t"),
            _ => text.push(*byte),
        }
    }
    text.push(b'"');
    text
}

/// The words of a line, with the quoting of inline requests; `None` for an unbalanced quote.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    let mut bytes = line.iter().copied().peekable();
    loop {
        while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
        let Some(first) = bytes.peek().copied() else {
            return Some(all);
        };
        let quote = matches!(first, b'"' | b'\'').then_some(first);
        if quote.is_some() {
            bytes.next();
        }
        let mut word = Vec::new();
        loop {
            match (bytes.next(), quote) {
                (None, None) => break,
                (None, Some(_)) => return None,
                (Some(byte), Some(quote)) if byte == quote => {
                    if bytes.peek().is_some_and(|next| !next.is_ascii_whitespace()) {
                        return None;
                    }
                    break;
                }
                (Some(b'\\'), Some(b'"')) => match bytes.next()? {
                    b'n' => word.push(b'\n'),
                    b'r' => word.push(b'\r'),
                    b't' => word.push(b'\t'),
                    other => word.push(other),
                },
                (Some(byte), None) if byte.is_ascii_whitespace() => break,
                (Some(byte), _) => word.push(byte),
            }
        }
        all.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_legal() {
        let mut config = Config::default();
        for parameter in PARAMETERS {
            assert_eq!(
                parameter.set(&mut config, parameter.default.as_bytes()),
                Ok(()),
                "{}",
                parameter.name
            );
        }
        assert_eq!(config.port, 6379);
        assert_eq!(config.maxmemory_policy, "noeviction");
    }

    #[test]
    fn a_file_is_read_line_by_line() {
        let mut config = Config::default();
        config
            .read(b"# comment\nport 7000\n  requirepass \"a b\"\nsave 60 1\nmaxmemory 1gb\n")
            .expect("legal");
        assert_eq!(
            (config.port, config.requirepass.as_slice(), config.maxmemory),
            (7000, &b"a b"[..], 1 << 30)
        );
        assert_eq!(config.value("save"), Some(b"60 1".to_vec()));
        assert_eq!(
            config.rewritten(b"# kept\nport 1\nsave 1 1\nsave 2 2\n\ntimeout 0\n"),
            b"# kept\nport 7000\nsave 60 1\n\ntimeout 0\nrequirepass \"a b\"\nmaxmemory 1073741824\n"
        );
        let mut again = Config::default();
        again.read(&config.rewritten(b"")).expect("legal");
        assert_eq!(again.rewritten(b""), config.rewritten(b""));
        assert!(config.read(b"port abc").is_err());
        assert!(config.read(b"no-such-thing 1").is_err());
        assert!(config.read(b"requirepass \"open").is_err());
    }
}
