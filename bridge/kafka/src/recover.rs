//! Reading back what was published.

use rdkafka::config::ClientConfig;
use talon_runtime::bus::{BusFault, Grant, Place, Purpose, Recovered, ShardSpec};
use talon_sdk::Kind;

use crate::reader::{PartitionReader, Read, Topic};

/// The topics of a shard that are read back, and where their records belong.
pub(crate) struct Sources {
    topics: Vec<Topic>,
    places: Vec<Place>,
}

impl Sources {
    pub(crate) fn of(shard: &ShardSpec) -> Sources {
        let mut sources = Sources { topics: Vec::new(), places: Vec::new() };
        // The keys of its checkpoints begin with its name.
        let own = Some(format!("{}/", shard.name));
        sources.add(&shard.checkpoints.name, true, own, Place::Checkpoints);
        for (i, topic) in shard.topics.iter().enumerate() {
            if topic.purpose != Purpose::DeadLetters {
                let by_key = topic.purpose == Purpose::Changes(Kind::Table);
                sources.add(&topic.name, by_key, None, Place::Topic(i));
            }
        }
        sources
    }

    /// Only those that are there.
    pub(crate) fn there(
        mut self,
        exists: impl Fn(&str) -> Result<bool, BusFault>,
    ) -> Result<Sources, BusFault> {
        let mut there = Sources { topics: Vec::new(), places: Vec::new() };
        for (topic, place) in self.topics.drain(..).zip(self.places) {
            if exists(&topic.name)? {
                there.topics.push(topic);
                there.places.push(place);
            }
        }
        Ok(there)
    }

    fn add(&mut self, name: &str, by_key: bool, own: Option<String>, place: Place) {
        self.topics.push(Topic { name: name.to_owned(), by_key, own });
        self.places.push(place);
    }

    /// Where each of the topics that are read stands among those of the shard.
    pub(crate) fn place_of(&self, place: Place) -> Option<usize> {
        self.places.iter().position(|known| *known == place)
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.topics.iter().map(|topic| topic.name.as_str()).collect()
    }

    /// Reads them to their ends.
    pub(crate) fn read(
        &self,
        config: &ClientConfig,
        group: &str,
        grant: &Grant,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<Read, BusFault> {
        let reader = PartitionReader::new(config, group, &self.topics, grant);
        reader.read(&mut |topic, record| each(self.places[topic], record))
    }
}
