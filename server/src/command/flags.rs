//! What commands are allowed to do and where they are allowed.

/// Command flags, a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// May change the keyspace.
    pub const WRITE: Self = Self(1);
    /// Reads the keyspace only.
    pub const READONLY: Self = Self(1 << 1);
    /// Refused while memory is over the limit.
    pub const DENY_OOM: Self = Self(1 << 2);
    /// For administrators.
    pub const ADMIN: Self = Self(1 << 3);
    /// Pub/sub.
    pub const PUBSUB: Self = Self(1 << 4);
    /// Not from scripts.
    pub const NO_SCRIPT: Self = Self(1 << 5);
    /// May block its client.
    pub const BLOCKING: Self = Self(1 << 6);
    /// Allowed while data is loaded.
    pub const LOADING: Self = Self(1 << 7);
    /// Allowed on a stale replica.
    pub const STALE: Self = Self(1 << 8);
    /// Constant or logarithmic time.
    pub const FAST: Self = Self(1 << 9);
    /// Allowed before AUTH.
    pub const NO_AUTH: Self = Self(1 << 10);
    /// Not allowed in MULTI.
    pub const NO_MULTI: Self = Self(1 << 11);
    /// The keys can't be told from positions alone.
    pub const MOVABLE_KEYS: Self = Self(1 << 12);
    /// Not shown by MONITOR.
    pub const SKIP_MONITOR: Self = Self(1 << 13);
    /// Not kept by SLOWLOG.
    pub const SKIP_SLOWLOG: Self = Self(1 << 14);
    /// Its effect is propagated though it writes no key (PUBLISH, scripts).
    pub const MAY_REPLICATE: Self = Self(1 << 15);
    /// In the ACL category `@dangerous`.
    pub const DANGEROUS: Self = Self(1 << 16);
    /// Allowed to a RESP2 client that is subscribed.
    pub const SUBSCRIBED: Self = Self(1 << 17);
    /// Runs at once inside MULTI instead of being queued.
    pub const UNQUEUED: Self = Self(1 << 18);
    /// Allowed while a script runs too long.
    pub const ALLOW_BUSY: Self = Self(1 << 19);
    /// Not allowed while data is loaded in the background.
    pub const NO_ASYNC_LOADING: Self = Self(1 << 20);
    /// Given to clients whose arguments carry passwords: never logged.
    pub const SENSITIVE: Self = Self(1 << 21);

    /// For the server's own developers.
    pub const INTERNAL: Self = Self(1 << 22);

    /// Whether any bit of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The names COMMAND INFO prints, in its order.
    pub fn names(self) -> Vec<&'static str> {
        const NAMES: [(Flags, &str); 17] = [
            (Flags::WRITE, "write"),
            (Flags::READONLY, "readonly"),
            (Flags::DENY_OOM, "denyoom"),
            (Flags::ADMIN, "admin"),
            (Flags::PUBSUB, "pubsub"),
            (Flags::NO_SCRIPT, "noscript"),
            (Flags::BLOCKING, "blocking"),
            (Flags::LOADING, "loading"),
            (Flags::STALE, "stale"),
            (Flags::SKIP_MONITOR, "skip_monitor"),
            (Flags::SKIP_SLOWLOG, "skip_slowlog"),
            (Flags::FAST, "fast"),
            (Flags::NO_AUTH, "no_auth"),
            (Flags::NO_MULTI, "no_multi"),
            (Flags::MOVABLE_KEYS, "movablekeys"),
            (Flags::ALLOW_BUSY, "allow_busy"),
            (Flags::NO_ASYNC_LOADING, "no_async_loading"),
        ];
        NAMES
            .iter()
            .filter(|(flag, _)| self.has(*flag))
            .map(|(_, name)| *name)
            .collect()
    }
}
