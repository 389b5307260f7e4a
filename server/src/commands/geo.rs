//! Commands on positions: sorted sets whose scores are geohashes.

use std::cmp::Ordering;
use std::ops::Bound;

use crate::args::{Args, parse_f64};
use crate::command::{Call, Command, Flags, Place};
use crate::commands::sorted_sets::{Adding, Presence, add, store};
use crate::fault::{Fault, Outcome};
use crate::reply::Reply;
use crate::value::geo::{Position, Search, Shape};
use crate::value::{Element, SortedSet};

const SEARCH_COST: &str = "O(N+log(M)) where N is the number of members in the cells around the shape and M the number within the shape.";

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "GEOADD",
        "key [NX | XX]@6.2.0 [change=CH]@6.2.0 longitude latitude member [longitude latitude member ...]",
        geoadd,
    )
    .writes()
    .denies_oom()
    .key(1)
    .access("RW update")
    .since("3.2.0")
    .complexity("O(log(N)) for each member, N being the size of the sorted set.")
    .summary("Adds members with their positions."),
    Command::new("GEODIST", "key member1 member2 [M | KM | FT | MI]", geodist)
        .reads()
        .key(1)
        .since("3.2.0")
        .summary("The distance between two members."),
    Command::new("GEOHASH", "key [member [member ...]]", geohash)
        .reads()
        .key(1)
        .since("3.2.0")
        .complexity("O(1) for each member.")
        .summary("The positions of members as standard geohashes."),
    Command::new("GEOPOS", "key [member [member ...]]", geopos)
        .reads()
        .key(1)
        .since("3.2.0")
        .complexity("O(1) for each member.")
        .summary("The positions of members."),
    Command::new(
        "GEOSEARCH",
        "key from=<FROMMEMBER member | FROMLONLAT longitude latitude> by=<circle=<BYRADIUS radius <M | KM | FT | MI>> | box=<BYBOX width <height> <M | KM | FT | MI>>> [ASC | DESC] count=[COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
        geosearch,
    )
    .reads()
    .key(1)
    .since("6.2.0")
    .complexity(SEARCH_COST)
    .summary("The members within a circle or a box."),
    Command::new(
        "GEOSEARCHSTORE",
        "destination source from=<FROMMEMBER member | FROMLONLAT longitude latitude> by=<circle=<BYRADIUS radius <M | KM | FT | MI>> | box=<BYBOX width <height> <M | KM | FT | MI>>> [ASC | DESC] count=[COUNT count [ANY]] [STOREDIST]",
        geosearchstore,
    )
    .writes()
    .denies_oom()
    .key(1)
    .access("OW update")
    .key(2)
    .access("RO access")
    .since("6.2.0")
    .complexity(SEARCH_COST)
    .summary("Stores the members within a circle or a box."),
    storing(
        "GEORADIUS",
        "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] count=[COUNT count [ANY]@6.2.0] [ASC | DESC] [STORE key] [STOREDIST key]",
        6,
        georadius,
    )
    .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS`")
    .summary("The members within a circle; may store them."),
    Command::new(
        "GEORADIUS_RO",
        "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] count=[COUNT count [ANY]@6.2.0] [ASC | DESC]",
        georadius_ro,
    )
    .reads()
    .key(1)
    .since("3.2.10")
    .complexity(SEARCH_COST)
    .deprecated("6.2.0", "`GEOSEARCH` with `BYRADIUS`")
    .summary("The members within a circle."),
    storing(
        "GEORADIUSBYMEMBER",
        "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] count=[COUNT count [ANY]] [ASC | DESC] [STORE key] [STOREDIST key]",
        5,
        georadiusbymember,
    )
    .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS` and `FROMMEMBER`")
    .summary("The members within a circle around one of them; may store them."),
    Command::new(
        "GEORADIUSBYMEMBER_RO",
        "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] count=[COUNT count [ANY]] [ASC | DESC]",
        georadiusbymember_ro,
    )
    .reads()
    .key(1)
    .since("3.2.10")
    .complexity(SEARCH_COST)
    .deprecated("6.2.0", "`GEOSEARCH` with `BYRADIUS` and `FROMMEMBER`")
    .summary("The members within a circle around one of them."),
];

const fn storing(
    name: &'static str,
    usage: &'static str,
    options_at: usize,
    handler: fn(&mut Call<'_>) -> Outcome,
) -> Command {
    Command::new(name, usage, handler)
        .writes()
        .denies_oom()
        .flags(Flags::MOVABLE_KEYS)
        .key(1)
        .access("RO access")
        .keys_at(stored_at("STORE", options_at))
        .access("OW update")
        .keys_at(stored_at("STOREDIST", options_at))
        .access("OW update")
        .since("3.2.0")
        .complexity(SEARCH_COST)
}

const fn stored_at(keyword: &'static str, from: usize) -> Place {
    Place::Keyword {
        keyword,
        from,
        limit: 0,
    }
}

fn geoadd(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let (mut adding, mut seen) = (Adding::default(), [false; 3]);
    while let Some(option) = call.args.one_of(&["NX", "XX", "CH"]) {
        seen[option] = true;
    }
    adding.presence = match seen {
        [true, true, _] => return Err(Fault::SYNTAX),
        [true, ..] => Presence::Missing,
        [_, true, _] => Presence::Existing,
        _ => Presence::Any,
    };
    adding.counts_changed = seen[2];
    let (placed, odd) = call.args.remaining().as_chunks::<3>();
    if placed.is_empty() || !odd.is_empty() {
        return Err(Fault::SYNTAX);
    }
    let mut scored = Vec::with_capacity(placed.len());
    for [longitude, latitude, member] in placed {
        let position = position(longitude, latitude)?;
        scored.push((position.score() as f64, *member));
    }
    add(call, key, adding, &scored)
}

fn position(longitude: &[u8], latitude: &[u8]) -> Result<Position, Fault> {
    let degrees = |text| parse_f64(text).ok_or(Fault::NOT_FLOAT);
    let position = Position {
        longitude: degrees(longitude)?,
        latitude: degrees(latitude)?,
    };
    if position.is_encodable() {
        Ok(position)
    } else {
        Err(Fault::invalid_position(
            position.longitude,
            position.latitude,
        ))
    }
}

/// The position that a score stands for, whether or not it was made from one.
fn position_of(score: f64) -> Position {
    // A negative score is read as its two's complement and a huge one as 0, as Redis reads them on common machines.
    Position::from_score(match score as u64 {
        u64::MAX => 0,
        _ if score < 0.0 => score as i64 as u64,
        bits => bits,
    })
}

/// The metres of a unit of length.
fn unit(name: &[u8]) -> Result<f64, Fault> {
    const UNITS: [(&str, f64); 4] = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let found = UNITS
        .iter()
        .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
    found.map(|(_, metres)| *metres).ok_or(Fault::UNKNOWN_UNIT)
}

fn answer_distance(reply: &mut Reply<'_>, distance: f64) {
    reply.bulk(format!("{distance:.4}"));
}

fn answer_position(reply: &mut Reply<'_>, position: Position) {
    reply.array(2);
    reply.fixed(position.longitude);
    reply.fixed(position.latitude);
}

fn geodist(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let (one, other) = (call.args.next_bytes()?, call.args.next_bytes()?);
    if call.args.len() > 1 {
        return Err(Fault::SYNTAX);
    }
    let metres = call.args.pop().map_or(Ok(1.0), unit)?;
    let set = call.db.sorted_set(key)?;
    let score = |member| set.and_then(|set| set.score(member));
    match (score(one), score(other)) {
        (Some(one), Some(other)) => {
            let distance = position_of(one).distance(position_of(other));
            answer_distance(&mut call.reply, distance / metres);
        }
        _ => call.reply.null(),
    }
    Ok(())
}

fn geohash(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let set = call.db.sorted_set(key)?;
    call.reply.array(call.args.len());
    for member in call.args.remaining() {
        let score = set.and_then(|set| set.score(member));
        call.reply
            .bulk_or_null(score.map(|score| position_of(score).geohash()));
    }
    Ok(())
}

fn geopos(call: &mut Call<'_>) -> Outcome {
    let key = call.args.next_bytes()?;
    let set = call.db.sorted_set(key)?;
    call.reply.array(call.args.len());
    for member in call.args.remaining() {
        match set.and_then(|set| set.score(member)) {
            Some(score) => answer_position(&mut call.reply, position_of(score)),
            None => call.reply.null_array(),
        }
    }
    Ok(())
}

fn georadius(call: &mut Call<'_>) -> Outcome {
    search(call, Form::Radius { stores: true })
}

fn georadius_ro(call: &mut Call<'_>) -> Outcome {
    search(call, Form::Radius { stores: false })
}

fn georadiusbymember(call: &mut Call<'_>) -> Outcome {
    search(call, Form::RadiusByMember { stores: true })
}

fn georadiusbymember_ro(call: &mut Call<'_>) -> Outcome {
    search(call, Form::RadiusByMember { stores: false })
}

fn geosearch(call: &mut Call<'_>) -> Outcome {
    search(call, Form::Search)
}

fn geosearchstore(call: &mut Call<'_>) -> Outcome {
    search(call, Form::SearchStore)
}

fn search(call: &mut Call<'_>, form: Form) -> Outcome {
    let name = call.args.all().first().copied().unwrap_or_default();
    let destination = match form {
        Form::SearchStore => Some(call.args.next_bytes()?),
        _ => None,
    };
    let key = call.args.next_bytes()?;
    let set = call.db.sorted_set(key)?;
    let query = Query::read(form, &mut call.args, set, destination)?;
    query.check(form, name)?;
    let found = set.map(|set| query.find(set)).unwrap_or_default();
    let Some(destination) = query.stored else {
        query.answer(&found, &mut call.reply);
        return Ok(());
    };
    let member = |found: Found<'_>| {
        let score = if query.stores_distances {
            found.distance / query.metres
        } else {
            found.score
        };
        (found.member.to_blob(), score)
    };
    let members = found.into_iter().map(member).collect();
    let set = SortedSet::from_members(members, &call.state.config.packed);
    let event = match form {
        Form::SearchStore => "geosearchstore",
        _ => "georadiusstore",
    };
    // Other commands that store count once.
    call.db.count_changes(set.len().saturating_sub(1));
    store(call, destination, set, event);
    Ok(())
}

/// The commands that search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// GEORADIUS, and whether it has STORE.
    Radius { stores: bool },
    /// GEORADIUSBYMEMBER, and whether it has STORE.
    RadiusByMember { stores: bool },
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

impl Form {
    /// Whether the centre and the shape are options.
    fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }

    /// Whether STORE is an option.
    fn has_store(self) -> bool {
        matches!(
            self,
            Self::Radius { stores: true } | Self::RadiusByMember { stores: true }
        )
    }
}

/// Where the centre comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Member,
    Position,
}

/// A search as it is asked for.
#[derive(Default)]
struct Query<'a> {
    source: Option<Source>,
    /// Missing where it is a member's of a sorted set that is missing.
    center: Option<Position>,
    shape: Option<Shape>,
    /// The metres of the unit in which lengths are given.
    metres: f64,
    /// ASC or DESC.
    order: Option<Order>,
    /// COUNT; 0 for all.
    count: usize,
    any: bool,
    shown: Shown,
    /// The key of the result, in place of a reply.
    stored: Option<&'a [u8]>,
    stores_distances: bool,
}

/// How members are sorted by their distances.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

/// What stands beside a member in a reply.
#[derive(Clone, Copy, Default)]
struct Shown {
    distance: bool,
    score: bool,
    position: bool,
}

/// A member within the shape; its distance is in metres.
struct Found<'a> {
    member: Element<'a>,
    score: f64,
    distance: f64,
}

impl<'a> Query<'a> {
    /// Reads what stands behind the key of `set`. Where that is missing, every option is looked at all the same.
    fn read(
        form: Form,
        args: &mut Args<'a>,
        set: Option<&SortedSet>,
        stored: Option<&'a [u8]>,
    ) -> Result<Self, Fault> {
        let mut query = Self {
            stored,
            ..Self::default()
        };
        match form {
            Form::Radius { .. } => {
                query.center = Some(position(args.next_bytes()?, args.next_bytes()?)?);
                query.read_circle(args)?;
            }
            Form::RadiusByMember { .. } if set.is_none() => {
                args.take(3)?;
            }
            Form::RadiusByMember { .. } => {
                query.read_member(args, set)?;
                query.read_circle(args)?;
            }
            Form::Search | Form::SearchStore => {}
        }
        while !args.is_empty() {
            if !(query.read_common(form, args)?
                || form.is_search() && query.read_area(args, set)?)
            {
                return Err(Fault::SYNTAX);
            }
        }
        Ok(query)
    }

    /// Reads an option that every form has, and those about storing; whether there was one.
    fn read_common(&mut self, form: Form, args: &mut Args<'a>) -> Result<bool, Fault> {
        match args.one_of(&["WITHDIST", "WITHHASH", "WITHCOORD", "ANY", "ASC", "DESC"]) {
            Some(0) => self.shown.distance = true,
            Some(1) => self.shown.score = true,
            Some(2) => self.shown.position = true,
            Some(3) => self.any = true,
            Some(4) => self.order = Some(Order::Ascending),
            Some(_) => self.order = Some(Order::Descending),
            None if args.keyword("COUNT") => {
                let count = args.next_i64_in(1.., Fault::GEO_COUNT)?;
                self.count = usize::try_from(count).unwrap_or(usize::MAX);
            }
            None if form.has_store() && args.keyword("STORE") => {
                self.stored = Some(args.next_bytes()?);
                self.stores_distances = false;
            }
            None if form.has_store() && args.keyword("STOREDIST") => {
                self.stored = Some(args.next_bytes()?);
                self.stores_distances = true;
            }
            None if form == Form::SearchStore && args.keyword("STOREDIST") => {
                self.stores_distances = true;
            }
            None => return Ok(false),
        }
        Ok(true)
    }

    /// Reads the option of a centre or a shape; whether there was one.
    fn read_area(&mut self, args: &mut Args<'a>, set: Option<&SortedSet>) -> Result<bool, Fault> {
        match args.one_of(&["FROMMEMBER", "FROMLONLAT", "BYRADIUS", "BYBOX"]) {
            Some(0) if self.source != Some(Source::Position) => self.read_member(args, set)?,
            Some(1) if self.source != Some(Source::Member) => {
                self.center = Some(position(args.next_bytes()?, args.next_bytes()?)?);
                self.source = Some(Source::Position);
            }
            Some(2) if !matches!(self.shape, Some(Shape::Box(..))) => self.read_circle(args)?,
            Some(3) if !matches!(self.shape, Some(Shape::Circle(_))) => self.read_box(args)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn read_member(&mut self, args: &mut Args<'a>, set: Option<&SortedSet>) -> Outcome {
        let member = args.next_bytes()?;
        self.source = Some(Source::Member);
        if let Some(set) = set {
            let score = set.score(member).ok_or(Fault::NO_SUCH_MEMBER)?;
            self.center = Some(position_of(score));
        }
        Ok(())
    }

    fn read_circle(&mut self, args: &mut Args<'a>) -> Outcome {
        let (radius, name) = (args.next_bytes()?, args.next_bytes()?);
        let radius = parse_f64(radius).ok_or(Fault::RADIUS_NOT_FLOAT)?;
        if radius < 0.0 {
            return Err(Fault::RADIUS_NEGATIVE);
        }
        self.metres = unit(name)?;
        self.shape = Some(Shape::Circle(radius * self.metres));
        Ok(())
    }

    fn read_box(&mut self, args: &mut Args<'a>) -> Outcome {
        let (width, height) = (args.next_bytes()?, args.next_bytes()?);
        let name = args.next_bytes()?;
        let width = parse_f64(width).ok_or(Fault::WIDTH_NOT_FLOAT)?;
        let height = parse_f64(height).ok_or(Fault::HEIGHT_NOT_FLOAT)?;
        if width < 0.0 || height < 0.0 {
            return Err(Fault::BOX_NEGATIVE);
        }
        self.metres = unit(name)?;
        self.shape = Some(Shape::Box(width * self.metres, height * self.metres));
        Ok(())
    }

    /// Checks options against each other; `name` is the command's as it was sent.
    fn check(&self, form: Form, name: &[u8]) -> Outcome {
        let Shown {
            distance,
            score,
            position,
        } = self.shown;
        if self.stored.is_some() && (distance || score || position) {
            return Err(Fault::store_shows_members_only(match form {
                Form::SearchStore => "GEOSEARCHSTORE",
                _ => "STORE option in GEORADIUS",
            }));
        }
        if form.is_search() && self.source.is_none() {
            return Err(Fault::exactly_one_of("FROMMEMBER or FROMLONLAT", name));
        }
        if form.is_search() && self.shape.is_none() {
            return Err(Fault::exactly_one_of("BYRADIUS and BYBOX", name));
        }
        if self.any && self.count == 0 {
            return Err(Fault::ANY_WITHOUT_COUNT);
        }
        Ok(())
    }

    /// The members within the shape, sorted and cut as asked for.
    fn find<'s>(&self, set: &'s SortedSet) -> Vec<Found<'s>> {
        let (Some(center), Some(shape)) = (self.center, self.shape) else {
            return Vec::new();
        };
        let search = Search { center, shape };
        let most = if self.any { self.count } else { usize::MAX };
        let members = search
            .score_ranges()
            .into_iter()
            .flat_map(|(first, behind)| {
                set.range(set.by_score(
                    Bound::Included(first as f64),
                    Bound::Excluded(behind as f64),
                ))
            });
        let mut found: Vec<_> = members
            .filter_map(|(member, score)| {
                let distance = search.distance_to(position_of(score))?;
                Some(Found {
                    member,
                    score,
                    distance,
                })
            })
            .take(most)
            .collect();
        // The nearest are meant where only some are wanted and it is not said which.
        let nearest = (self.count > 0 && !self.any).then_some(Order::Ascending);
        if let Some(order) = self.order.or(nearest) {
            found.sort_by(|one, other| {
                let (one, other) = match order {
                    Order::Ascending => (one, other),
                    Order::Descending => (other, one),
                };
                one.distance
                    .partial_cmp(&other.distance)
                    .unwrap_or(Ordering::Equal)
            });
        }
        if self.count > 0 {
            found.truncate(self.count);
        }
        found
    }

    fn answer(&self, found: &[Found<'_>], reply: &mut Reply<'_>) {
        let Shown {
            distance,
            score,
            position,
        } = self.shown;
        let beside = [distance, score, position];
        let beside = beside.into_iter().filter(|shown| *shown).count();
        reply.array(found.len());
        for member in found {
            if beside > 0 {
                reply.array(1 + beside);
            }
            reply.bulk(member.member);
            if distance {
                answer_distance(reply, member.distance / self.metres);
            }
            if score {
                reply.integer(member.score as i64);
            }
            if position {
                answer_position(reply, position_of(member.score));
            }
        }
    }
}
