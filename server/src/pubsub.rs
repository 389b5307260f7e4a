//! Who subscribed to what.

use std::collections::{BTreeMap, HashMap};

use crate::ids::ClientId;
use crate::value::{Blob, glob};

/// The three name spaces of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// SUBSCRIBE.
    Channel,
    /// PSUBSCRIBE.
    Pattern,
    /// SSUBSCRIBE.
    Shard,
}

/// Subscribers by channel, pattern and shard channel.
#[derive(Debug, Default)]
pub struct PubSub {
    channels: HashMap<Blob, Vec<ClientId>>,
    shard_channels: HashMap<Blob, Vec<ClientId>>,
    patterns: BTreeMap<Blob, Vec<ClientId>>,
}

impl PubSub {
    /// Adds a subscription that the client does not have yet.
    pub fn add(&mut self, space: Space, name: &[u8], client: ClientId) {
        let name = Blob::from(name);
        match space {
            Space::Channel => self.channels.entry(name).or_default().push(client),
            Space::Shard => self.shard_channels.entry(name).or_default().push(client),
            Space::Pattern => self.patterns.entry(name).or_default().push(client),
        }
    }

    /// Removes a subscription.
    pub fn remove(&mut self, space: Space, name: &[u8], client: ClientId) {
        let channels = match space {
            Space::Channel => &mut self.channels,
            Space::Shard => &mut self.shard_channels,
            Space::Pattern => {
                if let Some(subscribers) = self.patterns.get_mut(name) {
                    subscribers.retain(|subscriber| *subscriber != client);
                    if subscribers.is_empty() {
                        self.patterns.remove(name);
                    }
                }
                return;
            }
        };
        if let Some(subscribers) = channels.get_mut(name) {
            subscribers.retain(|subscriber| *subscriber != client);
            if subscribers.is_empty() {
                channels.remove(name);
            }
        }
    }

    /// Who gets a message on `channel`, with the pattern by which they do.
    pub fn receivers(&self, space: Space, channel: &[u8]) -> Vec<(ClientId, Option<Blob>)> {
        let by_name = if space == Space::Shard {
            &self.shard_channels
        } else {
            &self.channels
        };
        let direct = by_name
            .get(channel)
            .into_iter()
            .flatten()
            .map(|client| (*client, None));
        let mut all: Vec<_> = direct.collect();
        if space != Space::Shard {
            for (pattern, subscribers) in &self.patterns {
                if glob::matches(pattern, channel) {
                    all.extend(
                        subscribers
                            .iter()
                            .map(|client| (*client, Some(pattern.clone()))),
                    );
                }
            }
        }
        all
    }

    /// Whether a message could reach anybody.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty()
    }

    /// Channels with at least one subscriber, those that match `pattern` where there is one, in order: what is answered
    /// does not depend on chance.
    pub fn active(&self, space: Space, pattern: Option<&[u8]>) -> Vec<Blob> {
        let by_name = if space == Space::Shard {
            &self.shard_channels
        } else {
            &self.channels
        };
        let wanted = |name: &&Blob| pattern.is_none_or(|pattern| glob::matches(pattern, name));
        let mut names: Vec<Blob> = by_name.keys().filter(wanted).cloned().collect();
        names.sort();
        names
    }

    /// Direct subscribers of a channel.
    pub fn subscribers(&self, space: Space, channel: &[u8]) -> usize {
        let by_name = if space == Space::Shard {
            &self.shard_channels
        } else {
            &self.channels
        };
        by_name.get(channel).map_or(0, Vec::len)
    }

    /// Distinct patterns.
    pub fn patterns(&self) -> usize {
        self.patterns.len()
    }

    /// Distinct shard channels.
    pub fn shard_channels(&self) -> usize {
        self.shard_channels.len()
    }

    /// Distinct channels.
    pub fn channels(&self) -> usize {
        self.channels.len()
    }
}
