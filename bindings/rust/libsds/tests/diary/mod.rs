//! A diary keeps, in order, what the handlers that share it were given.

#![allow(dead_code)] // not every test reads everything in it

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use libsds as sds;

#[derive(Clone, Default)]
pub struct Diary(Arc<Mutex<Vec<sds::Event<'static>>>>);

impl Diary {
    pub fn note(&self, event: sds::Event<'_>) {
        self.0.lock().unwrap().push(event.into_owned());
    }

    pub fn events(&self) -> Vec<sds::Event<'static>> {
        self.0.lock().unwrap().clone()
    }

    /// The ids of what was delivered.
    pub fn delivered(&self) -> Vec<String> {
        let ready = |event| match event {
            sds::Event::MessageReady { message_id, .. } => Some(message_id.into_owned()),
            _ => None,
        };
        self.events().into_iter().filter_map(ready).collect()
    }
}

/// A participant that keeps a diary.
pub fn participant(id: &str, config: sds::Config) -> (sds::Manager, Diary) {
    let diary = Diary::default();
    let notes = diary.clone();
    let options = sds::Options::new().participant_id(id).config(config);
    (options.event_handler(move |_, event| notes.note(event)).open().unwrap(), diary)
}

/// An empty folder of a test's own.
pub fn folder(test: &str) -> PathBuf {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
