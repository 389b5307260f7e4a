//! CLIENT TRACKING and its kin: client-side caching.

use crate::command::Call;
use crate::fault::{Fault, Outcome};
use crate::tracking::Tracker;
use crate::value::Blob;

pub(super) fn tracking(call: &mut Call<'_>) -> Outcome {
    let switch = call.args.next_bytes()?;
    let mut wanted = Tracker::default();
    let mut prefixes: Vec<&[u8]> = Vec::new();
    while !call.args.is_empty() {
        if call.args.len() > 1 && call.args.keyword("REDIRECT") {
            redirect(call, &mut wanted)?;
        } else if call.args.len() > 1 && call.args.keyword("PREFIX") {
            prefixes.push(call.args.next_bytes()?);
        } else {
            match call.args.one_of(&["BCAST", "OPTIN", "OPTOUT", "NOLOOP"]) {
                Some(0) => wanted.broadcast = true,
                Some(1) => wanted.opt_in = true,
                Some(2) => wanted.opt_out = true,
                Some(_) => wanted.no_loop = true,
                None => return Err(Fault::SYNTAX),
            }
        }
    }
    if switch.eq_ignore_ascii_case(b"ON") {
        enable(call, wanted, &prefixes)?;
    } else if switch.eq_ignore_ascii_case(b"OFF") {
        call.state.untrack(call.id);
    } else {
        return Err(Fault::SYNTAX);
    }
    call.db.keyspace().changes.tracked = call.state.tracking.clients > 0;
    call.reply.ok();
    Ok(())
}

fn redirect(call: &mut Call<'_>, wanted: &mut Tracker) -> Outcome {
    if wanted.redirect.is_some() {
        return Err(Fault::TWO_REDIRECTS);
    }
    let number = call.args.next_i64()?;
    if number != 0 {
        let found = u64::try_from(number)
            .ok()
            .and_then(|number| call.state.clients.by_number(number));
        wanted.redirect = Some(found.map(|client| client.id).ok_or(Fault::NO_REDIRECT)?);
    }
    Ok(())
}

fn enable(call: &mut Call<'_>, mut wanted: Tracker, prefixes: &[&[u8]]) -> Outcome {
    if !wanted.broadcast && !prefixes.is_empty() {
        return Err(Fault::PREFIX_NEEDS_BCAST);
    }
    let present = call.client().tracker.as_deref();
    if present.is_some_and(|present| present.broadcast != wanted.broadcast) {
        return Err(Fault::BCAST_SWITCH);
    }
    if wanted.broadcast && (wanted.opt_in || wanted.opt_out) {
        return Err(Fault::OPT_WITH_BCAST);
    }
    if wanted.opt_in && wanted.opt_out {
        return Err(Fault::OPT_IN_AND_OUT);
    }
    if present.is_some_and(|present| {
        (wanted.opt_in && present.opt_out) || (wanted.opt_out && present.opt_in)
    }) {
        return Err(Fault::OPT_SWITCH);
    }
    if let Some(present) = present {
        wanted.prefixes.clone_from(&present.prefixes);
    }
    if wanted.broadcast {
        check_overlaps(&wanted, prefixes)?;
        if prefixes.is_empty() {
            wanted.prefixes.insert(Blob::new());
        }
        wanted
            .prefixes
            .extend(prefixes.iter().map(|prefix| Blob::from(*prefix)));
    }
    call.state.track(call.id, wanted);
    Ok(())
}

fn check_overlaps(wanted: &Tracker, prefixes: &[&[u8]]) -> Outcome {
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    for (index, prefix) in prefixes.iter().enumerate() {
        if let Some(known) = wanted.prefixes.iter().find(|known| overlap(prefix, known)) {
            return Err(Fault::prefix_overlaps(prefix, "an existing", known));
        }
        let later = prefixes.get(index + 1..).unwrap_or_default();
        if let Some(other) = later.iter().find(|other| overlap(prefix, other)) {
            return Err(Fault::prefix_overlaps(prefix, "another provided", other));
        }
    }
    Ok(())
}

pub(super) fn caching(call: &mut Call<'_>) -> Outcome {
    let choice = call.args.one_of(&["YES", "NO"]);
    let tracker = call.client_mut().tracker.as_deref_mut();
    let tracker = tracker.ok_or(Fault::CACHING_MODE)?;
    match choice.ok_or(Fault::SYNTAX)? {
        0 if !tracker.opt_in => return Err(Fault::CACHING_YES),
        1 if !tracker.opt_out => return Err(Fault::CACHING_NO),
        _ => tracker.caching = true,
    }
    call.reply.ok();
    Ok(())
}

fn redirection(tracker: Option<&Tracker>) -> i64 {
    tracker.map_or(-1, |tracker| {
        tracker.redirect.map_or(0, |id| id.number() as i64)
    })
}

pub(super) fn getredir(call: &mut Call<'_>) -> Outcome {
    let redirect = redirection(call.client().tracker.as_deref());
    call.reply.integer(redirect);
    Ok(())
}

pub(super) fn trackinginfo(call: &mut Call<'_>) -> Outcome {
    let tracker = call.client().tracker.as_deref().cloned();
    let redirect = redirection(tracker.as_ref());
    let mut flags = vec![if tracker.is_some() { "on" } else { "off" }];
    if let Some(tracker) = &tracker {
        let options = [
            (tracker.broadcast, "bcast"),
            (tracker.opt_in, "optin"),
            (tracker.opt_in && tracker.caching, "caching-yes"),
            (tracker.opt_out, "optout"),
            (tracker.opt_out && tracker.caching, "caching-no"),
            (tracker.no_loop, "noloop"),
            (tracker.broken, "broken_redirect"),
        ];
        flags.extend(
            options
                .iter()
                .filter(|(set, _)| *set)
                .map(|(_, name)| *name),
        );
    }
    call.reply.map(3);
    call.reply.bulk("flags");
    call.reply.set(flags.len());
    for flag in flags {
        call.reply.bulk(flag);
    }
    call.reply.bulk("redirect");
    call.reply.integer(redirect);
    call.reply.bulk("prefixes");
    let prefixes = tracker.map(|tracker| tracker.prefixes).unwrap_or_default();
    call.reply.bulks(prefixes.iter());
    Ok(())
}
