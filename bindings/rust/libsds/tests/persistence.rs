//! Channels that the host keeps.

mod diary;

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diary::participant;
use libsds as sds;
use sds::{Config, ErrorKind, Loader, Options, Persistence, Record};

#[derive(Default)]
struct Channel {
    meta: Vec<u8>,
    log: BTreeMap<(i64, String), Vec<u8>>,
    hints: BTreeMap<String, Vec<u8>>,
}

/// A database in memory that outlives its managers, with what the next procedures do wrong.
#[derive(Default)]
struct Database {
    channels: BTreeMap<String, Channel>,
    calls: Vec<&'static str>,
    fault: Option<(&'static str, &'static str)>,
    panics: bool,
}

/// A handle of it: `Send`, and not `Sync`, as connections of databases are.
struct Connection {
    database: Arc<Mutex<Database>>,
    _not_sync: std::cell::Cell<()>,
}

impl Connection {
    fn call<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&mut Database) -> T,
    ) -> Result<T, &'static str> {
        let mut database = self.database.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        database.calls.push(name);
        match database.fault {
            Some((at, words)) if at == name => {
                database.fault = None;
                if database.panics {
                    panic!("{words}");
                }
                Err(words)
            }
            _ => Ok(work(&mut database)),
        }
    }
}

impl Persistence for Connection {
    type Error = &'static str;

    fn save_channel_meta(&mut self, channel_id: &str, meta: &[u8]) -> Result<(), &'static str> {
        self.call("meta", |database| {
            database.channels.entry(channel_id.to_string()).or_default().meta = meta.to_vec();
        })
    }

    fn update_history(
        &mut self,
        channel_id: &str,
        append: &[Record<'_>],
        evict: &[&str],
    ) -> Result<(), &'static str> {
        assert!(!append.is_empty() || !evict.is_empty());
        self.call("history", |database| {
            let channel = database.channels.entry(channel_id.to_string()).or_default();
            channel.log.retain(|(_, id), _| !evict.contains(&id.as_str()));
            channel.hints.retain(|id, _| !evict.contains(&id.as_str()));
            for record in append {
                let key = (record.lamport, record.message_id.to_string());
                channel.log.insert(key, record.message.to_vec());
            }
        })
    }

    fn load_channel(&mut self, channel_id: &str, loader: &mut Loader<'_>) -> Result<(), &'static str> {
        self.call("load", |database| {
            let Some(channel) = database.channels.get(channel_id) else { return };
            // Another thread may do the work.
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    loader.meta(&channel.meta);
                    channel.log.values().for_each(|message| loader.message(message));
                    channel.hints.iter().for_each(|(id, hint)| loader.hint(id, hint));
                });
            });
        })
    }

    fn drop_channel(&mut self, channel_id: &str) -> Result<(), &'static str> {
        self.call("drop", |database| drop(database.channels.remove(channel_id)))
    }

    fn set_retrieval_hint(
        &mut self,
        channel_id: &str,
        message_id: &str,
        hint: &[u8],
    ) -> Result<(), &'static str> {
        self.call("hint", |database| {
            let channel = database.channels.get_mut(channel_id).expect("a channel that was saved");
            channel.hints.insert(message_id.to_string(), hint.to_vec());
        })
    }
}

fn database() -> Arc<Mutex<Database>> {
    Arc::default()
}

fn alice_with(database: &Arc<Mutex<Database>>, config: Config) -> (sds::Manager, diary::Diary) {
    let connection = Connection { database: database.clone(), _not_sync: Default::default() };
    let heard = diary::Diary::default();
    let notes = heard.clone();
    let options = Options::new().participant_id("alice").config(config).persistence(connection);
    let options = options.hint_provider(|id| Some(format!("at {id}").into_bytes()));
    (options.event_handler(move |_, event| notes.note(event)).open().unwrap(), heard)
}

#[test]
fn a_participant_goes_on_from_what_its_host_kept() {
    let database = database();
    let (bob, _) = participant("bob", Config::new());
    let channel = "chan\0nel";
    let first = bob.wrap(channel, "b\0one", "one").unwrap();
    let lost = bob.wrap(channel, "b2", "two").unwrap();
    let third = bob.wrap(channel, "b3", "three").unwrap();
    {
        let (alice, heard) = alice_with(&database, Config::new());
        alice.unwrap(&first).unwrap();
        alice.unwrap(&third).unwrap();
        alice.wrap(channel, "a1", "mine").unwrap();
        assert_eq!(heard.delivered(), ["b\0one"]);
        alice.close().unwrap();
        assert_eq!(Arc::strong_count(&database), 1, "what keeps the channels is dropped with its manager");
    }
    {
        let database = database.lock().unwrap();
        let kept = &database.channels[channel];
        let ids: Vec<_> = kept.log.keys().map(|(_, id)| id.as_str()).collect();
        assert_eq!(ids, ["b\0one", "a1"]);
        assert_eq!(kept.hints["b\0one"], b"at b\0one");
        assert_eq!(database.calls[..3], ["load", "meta", "history"]);
    }
    let (alice, heard) = alice_with(&database, Config::new());
    assert!(alice.unwrap(&first).unwrap().is_duplicate());
    alice.unwrap(&lost).unwrap();
    assert_eq!(heard.delivered(), ["b2", "b3"]);
    assert!(alice.inspect(channel).unwrap().contains(r#""messageId":"a1""#));
    alice.drop_channel(channel).unwrap();
    assert!(database.lock().unwrap().channels.is_empty());
}

#[test]
fn what_leaves_the_log_is_evicted() {
    let database = database();
    let (alice, _) = alice_with(&database, Config::new().max_message_history(3));
    for at in 0..10 {
        alice.wrap("channel", &format!("m{at}"), "content").unwrap();
    }
    let database = database.lock().unwrap();
    let channel = &database.channels["channel"];
    assert_eq!(channel.log.keys().map(|(_, id)| id.as_str()).collect::<Vec<_>>(), ["m7", "m8", "m9"]);
    assert!(channel.hints.keys().all(|id| id == "m7" || id == "m8"), "{:?}", channel.hints);
}

#[test]
fn the_words_of_an_error_become_those_of_the_library() {
    let database = database();
    let (alice, _) = alice_with(&database, Config::new());
    let fail = |at, words| database.lock().unwrap().fault = Some((at, words));
    fail("load", "the table is\0locked");
    let error = alice.ensure_channel("channel").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Persistence);
    assert_eq!(error.to_string(), "libsds error: channel \"channel\": the table is\u{fffd}locked");
    alice.ensure_channel("channel").unwrap();
    fail("drop", "");
    let error = alice.drop_channel("channel").unwrap_err();
    assert_eq!(error.to_string(), "libsds error: channel \"channel\": dropChannel returned 1");
    fail("drop", "no");
    assert_eq!(alice.reset().unwrap_err().kind(), ErrorKind::Persistence);
    alice.reset().unwrap();
}

#[test]
fn a_save_that_fails_fails_no_operation_and_comes_again() {
    for fault in ["meta", "history", "hint"] {
        let database = database();
        let (alice, _) = alice_with(&database, Config::new());
        alice.wrap("channel", "m1", "one").unwrap();
        database.lock().unwrap().fault = Some((fault, "no room"));
        alice.wrap("channel", "m2", "two").unwrap();
        assert!(database.lock().unwrap().fault.is_none(), "{fault} was called");
        alice.wrap("channel", "m3", "three").unwrap();
        let database = database.lock().unwrap();
        let channel = &database.channels["channel"];
        assert_eq!(channel.log.len(), 3);
        assert_eq!(channel.hints.len(), 2, "{:?}", channel.hints);
    }
}

#[test]
fn a_panic_of_a_procedure_fails_it_and_resumes_in_the_call() {
    for fault in ["load", "meta", "drop"] {
        let database = database();
        database.lock().unwrap().panics = true;
        let (alice, _) = alice_with(&database, Config::new());
        if fault != "load" {
            alice.ensure_channel("channel").unwrap();
        }
        database.lock().unwrap().fault = Some((fault, "out of order"));
        let panic = panic::catch_unwind(AssertUnwindSafe(|| match fault {
            "drop" => alice.drop_channel("channel"),
            _ => alice.wrap("channel", "m1", "one").map(drop),
        }));
        assert_eq!(panic.unwrap_err().downcast_ref::<String>().unwrap(), "out of order", "{fault}");
        assert_eq!(alice.inspect("channel").is_ok(), fault != "load");
        alice.wrap("channel", "m2", "two").unwrap();
    }
}

/// Keeps nothing but what it was called for.
struct Transactions {
    calls: Arc<Mutex<Vec<String>>>,
    /// Is called from inside `load_channel`, which fails without it.
    other: Option<sds::Manager>,
}

impl Transactions {
    fn note(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }
}

impl Persistence for Transactions {
    type Error = Box<dyn std::error::Error>;

    fn save_channel_meta(&mut self, _: &str, _: &[u8]) -> Result<(), Self::Error> {
        self.note("meta");
        Ok(())
    }

    fn update_history(&mut self, _: &str, append: &[Record<'_>], evict: &[&str]) -> Result<(), Self::Error> {
        self.note(format!("history {}+{}", append.len(), evict.len()));
        Ok(())
    }

    fn load_channel(&mut self, _: &str, loader: &mut Loader<'_>) -> Result<(), Self::Error> {
        loader.meta(b"");
        loader.hint("nobody", b"knows");
        match &self.other {
            Some(other) => self.note(other.stats().unwrap_err().to_string()),
            None => drop("".parse::<i32>()?),
        }
        Ok(())
    }

    fn drop_channel(&mut self, _: &str) -> Result<(), Self::Error> {
        Err("not permitted".into())
    }

    fn commit(
        &mut self,
        channel_id: &str,
        meta: &[u8],
        append: &[Record<'_>],
        evict: &[&str],
    ) -> Result<(), Self::Error> {
        self.note("begin");
        self.save_channel_meta(channel_id, meta)?;
        self.update_history(channel_id, append, evict)?;
        self.note("commit");
        Ok(())
    }
}

#[test]
fn a_commit_of_the_hosts_own_wraps_both_changes_and_nothing_deadlocks_in_a_procedure() {
    let calls: Arc<Mutex<Vec<String>>> = Arc::default();
    let other = Options::new().open().unwrap();
    let host = Transactions { calls: calls.clone(), other: Some(other) };
    let manager = Options::new().persistence(host).open().unwrap();
    manager.wrap("channel", "m1", "one").unwrap();
    let refused = "libsds error: called from inside a persistence procedure";
    assert_eq!(*calls.lock().unwrap(), [refused, "begin", "meta", "history 1+0", "commit"]);
}

#[test]
fn any_error_that_has_words_will_do() {
    let host = Transactions { calls: Arc::default(), other: None };
    let manager = Options::new().persistence(host).open().unwrap();
    let error = manager.ensure_channel("channel").unwrap_err();
    assert!(error.to_string().ends_with("cannot parse integer from empty string"), "{error}");
    let error = manager.drop_channel("channel").unwrap_err();
    assert!(error.to_string().ends_with("not permitted"), "{error}");
}

#[test]
fn a_store_and_procedures_exclude_each_other() {
    let path = diary::folder("exclude").join("store.sds");
    let connection = Connection { database: database(), _not_sync: Default::default() };
    let options = Options::new().config(Config::new().store_path(path)).persistence(connection);
    assert_eq!(options.open().unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn procedures_run_on_the_timers_thread_and_in_shared_commits() {
    let database = database();
    let config = Config::new()
        .store_sync(sds::StoreSync::Batch)
        .resend_interval(Duration::from_millis(1))
        .buffer_sweep_interval(Duration::from_millis(1));
    let (alice, _) = alice_with(&database, config);
    alice.start().unwrap();
    std::thread::scope(|scope| {
        for number in 0..16 {
            let alice = &alice;
            scope.spawn(move || {
                for at in 0..20 {
                    alice
                        .wrap(&format!("channel-{}", number % 4), &format!("{number}-{at}"), "content")
                        .unwrap();
                }
            });
        }
    });
    alice.close().unwrap();
    let database = database.lock().unwrap();
    assert_eq!(database.channels.values().map(|channel| channel.log.len()).sum::<usize>(), 320);
}
