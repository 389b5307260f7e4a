//! Every error text a command can answer, in one place.

use std::borrow::Cow;

/// An error reply: its code and text, without the leading `-` and the line end.
///
/// The common ones are constants; the few that carry a part of the request are made by functions. The writer replaces
/// CR and LF by spaces, so no request can forge a reply through an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(Cow<'static, [u8]>);

/// What a handler gives back: its reply is written, or this fault replaces it.
pub type Outcome = Result<(), Fault>;

impl Fault {
    /// A fault with a fixed text, code first: `Fault::new("ERR syntax error")`.
    pub const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }

    /// A fault whose text was put together for this request, code first.
    pub fn owned(text: impl Into<Vec<u8>>) -> Self {
        Self(Cow::Owned(text.into()))
    }

    /// Code and text.
    pub fn text(&self) -> &[u8] {
        &self.0
    }

    /// The code: the text up to its first space.
    pub fn code(&self) -> &[u8] {
        self.0
            .split(|byte| *byte == b' ')
            .next()
            .unwrap_or_default()
    }

    // Any command.
    /// An option or the shape of the arguments is wrong.
    pub const SYNTAX: Self = Self::new("ERR syntax error");
    /// The key holds a value of another type.
    pub const WRONG_TYPE: Self =
        Self::new("WRONGTYPE Operation against a key holding the wrong kind of value");
    /// An argument or a stored value is no signed 64-bit decimal.
    pub const NOT_INTEGER: Self = Self::new("ERR value is not an integer or out of range");
    /// An argument is an integer but not one of 32 bits.
    pub const NOT_I32: Self =
        Self::new("ERR value is out of range, value must between -2147483648 and 2147483647");
    /// An argument or a stored value is no double.
    pub const NOT_FLOAT: Self = Self::new("ERR value is not a valid float");
    /// A number is legal, but not here.
    pub const OUT_OF_RANGE: Self = Self::new("ERR value is out of range");
    /// A count of random elements is the smallest integer, whose magnitude is none.
    pub const COUNT_OUT_OF_RANGE: Self = Self::new(
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    );
    /// A count must be positive.
    pub const NOT_POSITIVE: Self = Self::new("ERR value is out of range, must be positive");
    /// An index points outside the value.
    pub const INDEX_OUT_OF_RANGE: Self = Self::new("ERR index out of range");
    /// The command needs an existing key.
    pub const NO_SUCH_KEY: Self = Self::new("ERR no such key");
    /// A database number is not in `0..databases`.
    pub const DB_OUT_OF_RANGE: Self = Self::new("ERR DB index is out of range");
    /// `numkeys` is no positive number.
    pub const NUMKEYS_NOT_POSITIVE: Self = Self::new("ERR numkeys should be greater than 0");
    /// SINTERCARD's `numkeys` is larger than what follows it.
    pub const NUMKEYS_BEYOND_ARGS: Self =
        Self::new("ERR Number of keys can't be greater than number of args");
    /// COUNT is no positive number.
    pub const COUNT_NOT_POSITIVE: Self = Self::new("ERR count should be greater than 0");
    /// LIMIT is below zero or no number.
    pub const LIMIT_NEGATIVE: Self = Self::new("ERR LIMIT can't be negative");
    /// A SCAN cursor is no unsigned 64-bit decimal.
    pub const INVALID_CURSOR: Self = Self::new("ERR invalid cursor");
    /// The memory limit is reached and nothing may be evicted.
    pub const OUT_OF_MEMORY: Self =
        Self::new("OOM command not allowed when used memory > 'maxmemory'.");

    // Strings.
    /// A string would grow beyond `proto-max-bulk-len`.
    pub const STRING_TOO_LONG: Self =
        Self::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    /// INCR and its kin would leave the signed 64-bit range.
    pub const INCREMENT_OVERFLOW: Self = Self::new("ERR increment or decrement would overflow");
    /// DECRBY of the smallest integer.
    pub const DECREMENT_OVERFLOW: Self = Self::new("ERR decrement would overflow");
    /// INCRBYFLOAT or HINCRBYFLOAT would produce NaN or infinity.
    pub const INCREMENT_NOT_FINITE: Self = Self::new("ERR increment would produce NaN or Infinity");
    /// HINCRBYFLOAT by infinity.
    pub const INCREMENT_INFINITE: Self = Self::new("ERR value is NaN or Infinity");
    /// HINCRBY of a field that holds no integer.
    pub const HASH_NOT_INTEGER: Self = Self::new("ERR hash value is not an integer");
    /// HINCRBYFLOAT of a field that holds no number.
    pub const HASH_NOT_FLOAT: Self = Self::new("ERR hash value is not a float");
    /// A negative offset.
    pub const OFFSET_OUT_OF_RANGE: Self = Self::new("ERR offset is out of range");

    /// LCS with LEN and IDX.
    pub const LCS_LEN_AND_IDX: Self =
        Self::new("ERR If you want both the length and indexes, please just use IDX.");
    /// LCS of a key that is no string.
    pub const LCS_TYPE: Self = Self::new("ERR The specified keys must contain string values");
    /// LCS of strings whose table would be too large.
    pub const LCS_TOO_LONG: Self =
        Self::new("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");

    // Bits.
    /// An offset that is negative or reaches beyond `proto-max-bulk-len`.
    pub const BIT_OFFSET: Self = Self::new("ERR bit offset is not an integer or out of range");
    /// SETBIT of something else than 0 or 1.
    pub const BIT_VALUE: Self = Self::new("ERR bit is not an integer or out of range");
    /// BITPOS of something else than 0 or 1.
    pub const BIT_ARGUMENT: Self = Self::new("ERR The bit argument must be 1 or 0.");
    /// BITOP NOT of several keys.
    pub const BITOP_NOT: Self = Self::new("ERR BITOP NOT must be called with a single source key.");
    /// BITFIELD with an unknown type of integer.
    pub const FIELD_TYPE: Self = Self::new(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
    );
    /// BITFIELD with an unknown OVERFLOW.
    pub const OVERFLOW_TYPE: Self = Self::new("ERR Invalid OVERFLOW type specified");
    /// `BITFIELD_RO` with a write.
    pub const BITFIELD_READ_ONLY: Self =
        Self::new("ERR BITFIELD_RO only supports the GET subcommand");

    // Counters.
    /// The string is no `HyperLogLog` counter.
    pub const NOT_A_COUNTER: Self =
        Self::new("WRONGTYPE Key is not a valid HyperLogLog string value.");
    /// The runs of a sparse counter make no sense.
    pub const CORRUPT_COUNTER: Self = Self::new("INVALIDOBJ Corrupted HLL object detected");
    /// PFDEBUG of a missing key.
    pub const NO_COUNTER: Self = Self::new("ERR The specified key does not exist");
    /// PFDEBUG DECODE of a dense counter.
    pub const COUNTER_NOT_SPARSE: Self = Self::new("ERR HLL encoding is not sparse");

    /// PFSELFTEST: counters of both encodings disagree.
    pub const COUNTERS_DIFFER: Self =
        Self::new("TESTFAILED dense and sparse counters of the same elements differ");
    /// PFSELFTEST: a count is too far off.
    pub const COUNTER_TOO_FAR_OFF: Self =
        Self::new("TESTFAILED a count is further off than its error allows");

    // Sorting.
    /// A weight is no double.
    pub const NOT_A_WEIGHT: Self =
        Self::new("ERR One or more scores can't be converted into double");

    // Keys and expiry.
    /// NX with another condition.
    pub const EXPIRE_NX_CONFLICT: Self =
        Self::new("ERR NX and XX, GT or LT options at the same time are not compatible");
    /// GT with LT.
    pub const EXPIRE_GT_LT_CONFLICT: Self =
        Self::new("ERR GT and LT options at the same time are not compatible");
    /// COPY or MOVE onto itself.
    pub const SAME_OBJECT: Self = Self::new("ERR source and destination objects are the same");
    /// SWAPDB's first argument.
    pub const INVALID_FIRST_DB: Self = Self::new("ERR invalid first DB index");
    /// SWAPDB's second argument.
    pub const INVALID_SECOND_DB: Self = Self::new("ERR invalid second DB index");

    /// OBJECT IDLETIME under an LFU policy.
    pub const NO_IDLE_TIME: Self = Self::new(
        "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
    );
    /// OBJECT FREQ under another policy than LFU.
    pub const NO_FREQUENCY: Self = Self::new(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
    );

    // Lists.
    /// LPOS' RANK is zero.
    pub const RANK_ZERO: Self = Self::new(
        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start \
         from the end of the list",
    );
    /// LPOS' COUNT is no natural number.
    pub const COUNT_NEGATIVE: Self = Self::new("ERR COUNT can't be negative");
    /// LPOS' MAXLEN is no natural number.
    pub const MAXLEN_NEGATIVE: Self = Self::new("ERR MAXLEN can't be negative");
    // Sorted sets.
    /// An increment would make a score NaN.
    pub const SCORE_NAN: Self = Self::new("ERR resulting score is not a number (NaN)");
    /// ZADD with XX and NX.
    pub const ZADD_NX_XX: Self =
        Self::new("ERR XX and NX options at the same time are not compatible");
    /// ZADD with two of GT, LT and NX.
    pub const ZADD_GT_LT_NX: Self =
        Self::new("ERR GT, LT, and/or NX options at the same time are not compatible");
    /// ZADD INCR of several members.
    pub const ZADD_INCR: Self =
        Self::new("ERR INCR option supports a single increment-element pair");
    /// An end of a range of scores is no double.
    pub const RANGE_NOT_FLOAT: Self = Self::new("ERR min or max is not a float");
    /// An end of a range of members does not begin with `[` or `(`.
    pub const RANGE_NOT_MEMBER: Self = Self::new("ERR min or max not valid string range item");
    /// ZRANGE by place with LIMIT.
    pub const RANGE_LIMIT: Self = Self::new(
        "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
    );
    /// ZRANGE BYLEX with WITHSCORES.
    pub const RANGE_LEX_SCORES: Self =
        Self::new("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
    /// A weight is no double.
    pub const WEIGHT_NOT_FLOAT: Self = Self::new("ERR weight value is not a float");

    // Geo.
    /// A radius is no double.
    pub const RADIUS_NOT_FLOAT: Self = Self::new("ERR need numeric radius");
    /// A width is no double.
    pub const WIDTH_NOT_FLOAT: Self = Self::new("ERR need numeric width");
    /// A height is no double.
    pub const HEIGHT_NOT_FLOAT: Self = Self::new("ERR need numeric height");
    /// A radius below zero.
    pub const RADIUS_NEGATIVE: Self = Self::new("ERR radius cannot be negative");
    /// A width or a height below zero.
    pub const BOX_NEGATIVE: Self = Self::new("ERR height or width cannot be negative");
    /// An unknown unit of length.
    pub const UNKNOWN_UNIT: Self =
        Self::new("ERR unsupported unit provided. please use M, KM, FT, MI");
    /// The member to search around is not there.
    pub const NO_SUCH_MEMBER: Self = Self::new("ERR could not decode requested zset member");
    /// COUNT of a search is not positive.
    pub const GEO_COUNT: Self = Self::new("ERR COUNT must be > 0");
    /// ANY without COUNT.
    pub const ANY_WITHOUT_COUNT: Self = Self::new("ERR the ANY argument requires COUNT argument");

    // Blocking.
    /// A timeout is no double.
    pub const TIMEOUT_NOT_FLOAT: Self = Self::new("ERR timeout is not a float or out of range");
    /// A timeout below zero.
    pub const TIMEOUT_NEGATIVE: Self = Self::new("ERR timeout is negative");
    /// A timeout in milliseconds is no integer.
    pub const TIMEOUT_NOT_INTEGER: Self =
        Self::new("ERR timeout is not an integer or out of range");
    /// Written to a client that another one unblocked with CLIENT UNBLOCK … ERROR.
    pub const UNBLOCKED: Self = Self::new("UNBLOCKED client unblocked via CLIENT UNBLOCK");

    // Connection.
    /// A password is set and this client has not given it.
    pub const NO_AUTH: Self = Self::new("NOAUTH Authentication required.");
    /// HELLO before AUTH where a password is set.
    pub const HELLO_NO_AUTH: Self = Self::new(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> \
         option can be used to authenticate the client and select the RESP protocol version at the same time",
    );
    /// The user name or the password is wrong.
    pub const WRONG_PASSWORD: Self =
        Self::new("WRONGPASS invalid username-password pair or user is disabled.");
    /// AUTH with one argument where no password is set.
    pub const NO_PASSWORD_SET: Self = Self::new(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
         configuration is correct?",
    );
    /// HELLO's version is no integer.
    pub const PROTOCOL_NOT_INTEGER: Self =
        Self::new("ERR Protocol version is not an integer or out of range");
    /// HELLO's version is neither 2 nor 3.
    pub const NO_PROTO: Self = Self::new("NOPROTO unsupported protocol version");
    /// CLIENT SETNAME with a space or a control character.
    pub const BAD_CLIENT_NAME: Self =
        Self::new("ERR Client names cannot contain spaces, newlines or special characters.");
    /// CLIENT LIST ID of something that is no client number.
    pub const INVALID_CLIENT_ID: Self = Self::new("ERR Invalid client ID");
    /// CLIENT KILL MAXAGE.
    pub const MAXAGE: Self = Self::new("ERR maxage should be greater than 0");
    /// CLIENT PAUSE's mode.
    pub const PAUSE_MODE: Self = Self::new("ERR CLIENT PAUSE mode must be WRITE or ALL");
    /// CLIENT UNBLOCK's reason.
    pub const UNBLOCK_REASON: Self =
        Self::new("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    /// CLIENT KILL and UNBLOCK of a client that is not there.
    pub const NO_SUCH_CLIENT: Self = Self::new("ERR No such client");
    /// CLIENT KILL with an address that nobody has.
    pub const NO_SUCH_CLIENT_ID: Self = Self::new("ERR client-id should be greater than 0");

    // Transactions.
    /// MULTI inside MULTI.
    pub const NESTED_MULTI: Self = Self::new("ERR MULTI calls can not be nested");
    /// WATCH inside MULTI.
    pub const WATCH_IN_MULTI: Self = Self::new("ERR WATCH inside MULTI is not allowed");
    /// EXEC without MULTI.
    pub const EXEC_WITHOUT_MULTI: Self = Self::new("ERR EXEC without MULTI");
    /// DISCARD without MULTI.
    pub const DISCARD_WITHOUT_MULTI: Self = Self::new("ERR DISCARD without MULTI");
    /// EXEC after a command that could not be queued.
    pub const EXEC_ABORT: Self =
        Self::new("EXECABORT Transaction discarded because of previous errors.");
    /// A command that may not be queued.
    pub const NOT_IN_MULTI: Self = Self::new("ERR Command not allowed inside a transaction");

    // The server.
    /// CONFIG REWRITE of a server that was started without a file.
    pub const NO_CONFIG_FILE: Self = Self::new("ERR The server is running without a config file");
    /// SLOWLOG GET's count.
    pub const SLOWLOG_COUNT: Self = Self::new("ERR count should be greater than or equal to -1");
    /// MONITOR inside MULTI.
    pub const MONITOR_DENIED: Self =
        Self::new("ERR MONITOR isn't allowed for DENY BLOCKING client");
    /// SHUTDOWN ABORT where there is nothing to abort.
    pub const NO_SHUTDOWN: Self = Self::new("ERR No shutdown in progress.");
    /// DEBUG where it is not enabled for this client.
    pub const DEBUG_DISABLED: Self = Self::new(
        "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a \
         local connection, otherwise you need to set this option in the configuration file, and then restart the \
         server.",
    );
    /// DEBUG PROTOCOL's type.
    pub const DEBUG_PROTOCOL: Self = Self::new(
        "ERR Wrong protocol type name. Please use one of the following: \
         string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
    );
    /// DEBUG PROTOCOL PUSH under RESP2.
    pub const NEEDS_RESP3: Self = Self::new("ERR RESP2 is not supported by this command");
    /// SSUBSCRIBE within EXEC.
    pub const SHARD_IN_EXEC: Self =
        Self::new("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
    /// DEBUG LISTPACK of another encoding.
    pub const NOT_LISTPACK: Self = Self::new("ERR Not a listpack encoded object.");

    // Client-side caching.
    /// REDIRECT given twice.
    pub const TWO_REDIRECTS: Self =
        Self::new("ERR A client can only redirect to a single other client");
    /// REDIRECT to a client that is not there.
    pub const NO_REDIRECT: Self =
        Self::new("ERR The client ID you want redirect to does not exist");
    /// PREFIX without BCAST.
    pub const PREFIX_NEEDS_BCAST: Self =
        Self::new("ERR PREFIX option requires BCAST mode to be enabled");
    /// BCAST turned on or off on the way.
    pub const BCAST_SWITCH: Self = Self::new(
        "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it \
         with a different mode.",
    );
    /// OPTIN or OPTOUT with BCAST.
    pub const OPT_WITH_BCAST: Self =
        Self::new("ERR OPTIN and OPTOUT are not compatible with BCAST");
    /// OPTIN with OPTOUT.
    pub const OPT_IN_AND_OUT: Self =
        Self::new("ERR You can't specify both OPTIN mode and OPTOUT mode");
    /// OPTIN for OPTOUT or the other way round on the way.
    pub const OPT_SWITCH: Self = Self::new(
        "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it \
         with a different mode.",
    );
    /// CLIENT CACHING without OPTIN or OPTOUT.
    pub const CACHING_MODE: Self = Self::new(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    );
    /// CLIENT CACHING YES without OPTIN.
    pub const CACHING_YES: Self =
        Self::new("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    /// CLIENT CACHING NO without OPTOUT.
    pub const CACHING_NO: Self =
        Self::new("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");

    // COMMAND.
    /// COMMAND GETKEYS of an unknown command.
    pub const GETKEYS_UNKNOWN: Self = Self::new("ERR Invalid command specified");
    /// COMMAND GETKEYS of a command without keys.
    pub const GETKEYS_NONE: Self = Self::new("ERR The command has no key arguments");
    /// COMMAND GETKEYS with the wrong number of arguments.
    pub const GETKEYS_ARITY: Self =
        Self::new("ERR Invalid number of arguments specified for command");
    /// COMMAND GETKEYS where the keys can't be told.
    pub const GETKEYS_INVALID: Self = Self::new("ERR Invalid arguments specified for command");

    /// The command needs another number of arguments. `name` is as COMMAND prints it (`config|get`).
    pub fn wrong_arity(name: &str) -> Self {
        Self::owned(format!(
            "ERR wrong number of arguments for '{name}' command"
        ))
    }

    /// A count of input keys that is not positive.
    pub fn no_input_keys(name: &str) -> Self {
        Self::owned(format!(
            "ERR at least 1 input key is needed for '{name}' command"
        ))
    }

    /// A position that can't be encoded.
    pub fn invalid_position(longitude: f64, latitude: f64) -> Self {
        Self::owned(format!(
            "ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"
        ))
    }

    /// GEOSEARCH without a centre or without a shape; `name` is as the client wrote it.
    pub fn exactly_one_of(choices: &str, name: &[u8]) -> Self {
        let mut text = format!("ERR exactly one of {choices} can be specified for ").into_bytes();
        text.extend_from_slice(&name[..name.len().min(128)]);
        Self::owned(text)
    }

    /// A search that stores its result and is to show more than members; `what` stores.
    pub fn store_shows_members_only(what: &str) -> Self {
        Self::owned(format!(
            "ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
        ))
    }

    /// No such command; the text carries the beginning of its arguments (128 bytes of each part at most).
    pub fn unknown_command(args: &[&[u8]]) -> Self {
        let (name, rest) = args
            .split_first()
            .map_or((&[][..], args), |(name, rest)| (*name, rest));
        let mut text = b"ERR unknown command '".to_vec();
        text.extend_from_slice(&name[..name.len().min(128)]);
        text.extend_from_slice(b"', with args beginning with: ");
        let mut room = 128_usize;
        for arg in rest {
            if room == 0 {
                break;
            }
            let shown = &arg[..arg.len().min(room)];
            text.push(b'\'');
            text.extend_from_slice(shown);
            text.extend_from_slice(b"' ");
            room = room.saturating_sub(shown.len() + 3);
        }
        Self::owned(text)
    }

    /// No such subcommand of `container`.
    pub fn unknown_subcommand(container: &str, given: &[u8]) -> Self {
        let mut text = b"ERR unknown subcommand '".to_vec();
        text.extend_from_slice(&given[..given.len().min(128)]);
        text.extend_from_slice(b"'. Try ");
        text.extend_from_slice(container.to_ascii_uppercase().as_bytes());
        text.extend_from_slice(b" HELP.");
        Self::owned(text)
    }

    /// PFDEBUG with an unknown subcommand.
    pub fn unknown_pfdebug(given: &[u8]) -> Self {
        Self::quoting("ERR Unknown PFDEBUG subcommand '", given)
    }

    /// EXEC that may not even run, for the reason that `fault` gives.
    pub fn exec_abort(fault: &Self) -> Self {
        let reason = fault.text().strip_prefix(b"ERR ").unwrap_or(fault.text());
        let mut text = b"EXECABORT Transaction discarded because of: ".to_vec();
        text.extend_from_slice(reason);
        Self::owned(text)
    }

    /// Two prefixes of one client overlap; `other` is one it has already, or one `given` with it.
    pub fn prefix_overlaps(prefix: &[u8], which: &str, other: &[u8]) -> Self {
        let mut text = b"ERR Prefix '".to_vec();
        text.extend_from_slice(&prefix[..prefix.len().min(128)]);
        text.extend_from_slice(format!("' overlaps with {which} prefix '").as_bytes());
        text.extend_from_slice(&other[..other.len().min(128)]);
        text.extend_from_slice(b"'. Prefixes for a single client must not overlap.");
        Self::owned(text)
    }

    /// A subcommand that is unknown, or called with the wrong number of arguments, where Redis does not tell which.
    pub fn subcommand_or_arity(container: &str, given: &[u8]) -> Self {
        let mut text = b"ERR unknown subcommand or wrong number of arguments for '".to_vec();
        text.extend_from_slice(&given[..given.len().min(128)]);
        text.extend_from_slice(format!("'. Try {container} HELP.").as_bytes());
        Self::owned(text)
    }

    /// CONFIG REWRITE could not write its file.
    pub fn rewrite_failed(reason: &str) -> Self {
        Self::owned(format!("ERR Rewriting config file: {reason}"))
    }

    /// LATENCY GRAPH of an event without samples.
    pub fn no_samples(event: &[u8]) -> Self {
        Self::quoting("ERR No samples available for event '", event)
    }

    /// CONFIG SET of a parameter that is not there.
    pub fn config_unknown(name: &[u8]) -> Self {
        let mut text = b"ERR Unknown option or number of arguments for CONFIG SET - '".to_vec();
        text.extend_from_slice(&name[..name.len().min(128)]);
        text.push(b'\'');
        Self::owned(text)
    }

    /// CONFIG SET of a value that the parameter does not take.
    pub fn config_failed(name: &str, reason: &str) -> Self {
        Self::owned(format!(
            "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
        ))
    }

    /// The command may not run while a RESP2 client is subscribed.
    pub fn subscribed(name: &str) -> Self {
        Self::owned(format!(
            "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
             this context"
        ))
    }

    /// An expiry that is zero, negative or leaves the signed 64-bit range of milliseconds.
    pub fn invalid_expire(name: &str) -> Self {
        Self::owned(format!("ERR invalid expire time in '{name}' command"))
    }

    /// EXPIRE with an unknown option.
    pub fn unsupported_option(given: &[u8]) -> Self {
        let mut text = b"ERR Unsupported option ".to_vec();
        text.extend_from_slice(&given[..given.len().min(128)]);
        Self::owned(text)
    }

    /// CLIENT LIST and KILL with an unknown TYPE.
    pub fn unknown_client_type(given: &[u8]) -> Self {
        Self::quoting("ERR Unknown client type '", given)
    }

    /// CLIENT KILL with an unknown USER.
    pub fn no_such_user(given: &[u8]) -> Self {
        Self::quoting("ERR No such user '", given)
    }

    /// CLIENT SETINFO of something unknown.
    pub fn unrecognized_option(given: &[u8]) -> Self {
        Self::quoting("ERR Unrecognized option '", given)
    }

    /// CLIENT SETINFO with a space or a control character.
    pub fn bad_client_info(name: &str) -> Self {
        Self::owned(format!(
            "ERR {name} cannot contain spaces, newlines or special characters."
        ))
    }

    /// `before`, at most 128 bytes of what was given, and a closing quote.
    fn quoting(before: &str, given: &[u8]) -> Self {
        let mut text = before.as_bytes().to_vec();
        text.extend_from_slice(&given[..given.len().min(128)]);
        text.push(b'\'');
        Self::owned(text)
    }

    /// HELLO's option is unknown.
    pub fn hello_syntax(option: &[u8]) -> Self {
        Self::quoting("ERR Syntax error in HELLO option '", option)
    }
}
