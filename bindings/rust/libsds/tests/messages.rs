//! Messages and events as they are meant to be, and what is made of wrong ones.

mod diary;

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use diary::{participant, Diary};
use libsds as sds;
use sds::{Config, ErrorKind, Event, Kind};

#[test]
fn an_unwrapped_message_is_described_in_full() {
    let (alice, _) = participant("alice", Config::new());
    let (bob, heard) = participant("bob", Config::new());
    let payload = alice.wrap("channel", "m1", "hello").unwrap();
    let message = bob.unwrap(&payload).unwrap();
    assert_eq!(message.kind(), Kind::Content);
    assert_eq!(message.content(), b"hello");
    assert_eq!(message.channel_id(), "channel");
    assert_eq!(message.message_id(), "m1");
    assert_eq!(message.sender_id(), "alice");
    assert!(message.lamport() > 1_000_000_000);
    assert!(!message.is_duplicate() && !message.is_buffered() && message.missing().is_empty());
    let ready = Event::MessageReady {
        channel_id: Cow::Borrowed("channel"),
        message_id: Cow::Borrowed("m1"),
        content: Cow::Borrowed(b"hello"),
    };
    assert_eq!(heard.events(), [ready]);
    assert!(bob.unwrap(&payload).unwrap().is_duplicate());
}

#[test]
fn a_message_that_waits_is_delivered_in_causal_order() {
    let (alice, _) = participant("alice", Config::new());
    let (bob, heard) = participant("bob", Config::new());
    let first = alice.wrap("channel", "m1", "one").unwrap();
    let message = bob.unwrap(alice.wrap("channel", "m2", "two").unwrap()).unwrap();
    assert!(message.is_buffered());
    assert_eq!(message.content(), b"two");
    assert_eq!(message.missing().len(), 1);
    assert_eq!(message.missing()[0].message_id, "m1");
    assert_eq!(message.missing()[0].sender_id, "alice");
    assert!(message.missing()[0].hint.is_empty());
    let lacks = Event::MissingDependencies {
        channel_id: "channel".into(),
        message_id: "m2".into(),
        dependencies: message.missing().to_vec(),
    };
    assert_eq!(heard.events(), [lacks]);
    bob.unwrap(first).unwrap();
    assert_eq!(heard.delivered(), ["m1", "m2"]);
}

#[test]
fn what_is_marked_as_met_is_waited_for_no_longer() {
    let (alice, _) = participant("alice", Config::new());
    let (bob, heard) = participant("bob", Config::new());
    for id in ["m1", "m2"] {
        alice.wrap("channel", id, "lost").unwrap();
    }
    bob.unwrap(alice.wrap("channel", "m3", "three").unwrap()).unwrap();
    assert_eq!(heard.delivered(), [""; 0]);
    bob.mark_met("channel", ["m1", "m2"]).unwrap();
    assert_eq!(heard.delivered(), ["m3"]);
    bob.mark_met("channel", Vec::<String>::new()).unwrap();
}

#[test]
fn sync_and_ephemeral_messages_are_made_and_told_apart() {
    let (alice, told) = participant("alice", Config::new());
    let (bob, heard) = participant("bob", Config::new());
    bob.unwrap(alice.wrap("channel", "m1", "one").unwrap()).unwrap();
    let sync = alice.unwrap(bob.wrap_sync("channel").unwrap()).unwrap();
    assert_eq!((sync.kind(), sync.content().len(), sync.sender_id()), (Kind::Sync, 0, "bob"));
    let sent = Event::MessageSent { channel_id: "channel".into(), message_id: "m1".into() };
    assert_eq!(told.events(), [sent]);

    let typing = bob.unwrap(alice.wrap_ephemeral("channel", "typing", "...").unwrap()).unwrap();
    assert_eq!((typing.kind(), typing.content(), typing.lamport()), (Kind::Ephemeral, &b"..."[..], 0));
    assert_eq!(heard.delivered(), ["m1", "typing"]);
}

#[test]
fn the_hint_of_the_host_travels_with_the_dependency() {
    let mut asked = 0;
    let hints = move |id: &str| {
        asked += 1;
        match id {
            "m1" => Some(format!("hint {asked} at {id}").into_bytes()),
            "m2" => Some(Vec::new()),
            _ => Some(vec![7; 5000]), // too long to be used
        }
    };
    let alice = sds::Options::new().participant_id("alice").hint_provider(hints).open().unwrap();
    let (bob, _) = participant("bob", Config::new());
    for id in ["m1", "m2", "m3"] {
        alice.wrap("channel", id, "lost").unwrap();
    }
    let message = bob.unwrap(alice.wrap("channel", "m4", "cites them").unwrap()).unwrap();
    let hints: Vec<_> = message.missing().iter().map(|missing| &*missing.hint).collect();
    assert_eq!(hints, [&b"hint 1 at m1"[..], b"", b""]);
}

#[test]
fn time_passes_where_the_host_ticks() {
    let config = Config::new()
        .max_resend_attempts(1)
        .sync_message_interval(Duration::from_secs(7))
        .resend_interval(Duration::from_secs(20))
        .missing_dependency_timeout(Duration::from_secs(100));
    let (alice, heard) = participant("alice", config.clone());
    let (bob, told) = participant("bob", config);
    let now = UNIX_EPOCH + Duration::from_millis(since_1970().as_millis() as u64);
    alice.wrap("channel", "m1", "lost").unwrap();
    assert_eq!(alice.tick(now).unwrap(), now + Duration::from_secs(5));
    alice.tick(now + Duration::from_secs(7)).unwrap();
    assert_eq!(heard.events(), [Event::PeriodicSync { channel_ids: vec!["channel".into()] }]);

    alice.tick(now + Duration::from_secs(61)).unwrap();
    let resent = heard.events().into_iter().find_map(|event| match event {
        Event::ResendReady { channel_id, message_id, payload, attempts: 1 } => {
            assert_eq!((&*channel_id, &*message_id), ("channel", "m1"));
            Some(payload)
        }
        _ => None,
    });
    bob.unwrap(resent.expect("a resend")).unwrap();
    assert_eq!(told.delivered(), ["m1"]);
    alice.tick(now + Duration::from_secs(122)).unwrap();
    let failed = Event::DeliveryFailed { channel_id: "channel".into(), message_id: "m1".into(), attempts: 1 };
    assert!(heard.events().contains(&failed));

    alice.wrap("channel", "m2", "lost").unwrap();
    bob.unwrap(alice.wrap("channel", "m3", "three").unwrap()).unwrap();
    bob.tick(now).unwrap();
    bob.tick(now + Duration::from_secs(200)).unwrap();
    assert!(matches!(&told.events()[2..], [
        Event::DependenciesLost { message_id: lost, dependencies, .. },
        Event::MessageReady { message_id: ready, .. },
        Event::PeriodicSync { .. },
    ] if lost == "m3" && ready == "m3" && dependencies.len() == 1 && dependencies[0].message_id == "m2"));
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

#[test]
fn a_peer_that_asks_is_answered() {
    let quick = Config::new().repair_t_min(Duration::ZERO).repair_t_max(Duration::from_millis(1));
    let (alice, heard) = participant("alice", quick.clone());
    let (bob, told) = participant("bob", quick);
    let now = SystemTime::now();
    alice.tick(now).unwrap();
    alice.wrap("channel", "m1", "lost").unwrap();
    bob.unwrap(alice.wrap("channel", "m2", "two").unwrap()).unwrap();
    std::thread::sleep(Duration::from_millis(2));
    alice.unwrap(bob.wrap_sync("channel").unwrap()).unwrap();
    alice.tick(now + Duration::from_secs(6)).unwrap();
    for event in heard.events() {
        if let Event::RepairReady { message_id, payload, .. } = event {
            assert_eq!(message_id, "m1");
            bob.unwrap(payload).unwrap();
        }
    }
    assert_eq!(told.delivered(), ["m1", "m2"]);
}

#[test]
fn a_time_that_the_library_does_not_know_is_refused() {
    let (alice, _) = participant("alice", Config::new());
    let after = UNIX_EPOCH + Duration::from_millis(253_402_300_800_000);
    for wrong in
        [UNIX_EPOCH - Duration::from_nanos(1), after, UNIX_EPOCH + Duration::from_secs(i64::MAX as u64)]
    {
        assert_eq!(alice.tick(wrong).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    alice.tick(after - Duration::from_nanos(1)).unwrap();
    alice.tick(UNIX_EPOCH).unwrap();
}

#[test]
fn a_manager_has_one_clock() {
    let (alice, _) = participant("alice", Config::new());
    alice.start().unwrap();
    alice.start().unwrap();
    assert_eq!(alice.tick(SystemTime::now()).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let (bob, _) = participant("bob", Config::new());
    bob.tick(SystemTime::now()).unwrap();
    assert_eq!(bob.start().unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn ids_are_any_text_with_nuls_too() {
    let (alice, _) = participant("ali\0ce", Config::new());
    let (bob, heard) = participant("bob", Config::new());
    let channel = "\0 channel \u{1f41d}";
    let long = "ü".repeat(500);
    alice.wrap(channel, "m\u{0}1", "lost").unwrap();
    let message = bob.unwrap(alice.wrap(channel, &long, "two").unwrap()).unwrap();
    assert_eq!(message.channel_id(), channel);
    assert_eq!(message.message_id(), long);
    assert_eq!(message.sender_id(), "ali\0ce");
    assert_eq!(message.missing()[0].message_id, "m\u{0}1");
    assert_eq!(message.missing()[0].sender_id, "ali\0ce");
    bob.mark_met(channel, ["m\u{0}1"]).unwrap();
    assert_eq!(heard.delivered(), [long]);
    assert!(bob.inspect(channel).unwrap().contains("channel"));
    bob.drop_channel(channel).unwrap();
    assert_eq!(bob.inspect(channel).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn contents_of_every_size_arrive() {
    let (alice, _) = participant("alice", Config::new());
    let (bob, _) = participant("bob", Config::new());
    let content: Vec<u8> = (0..1 << 20).map(|at: u32| (at * 7 + at / 251) as u8).collect();
    for (at, size) in [1, 1023, 1 << 20, 2, 70_000, 1 << 20, 100].into_iter().enumerate() {
        let payload = alice.wrap("channel", &format!("m{at}"), &content[..size]).unwrap();
        assert!(bob.unwrap(&payload).unwrap().content() == &content[..size]);
    }
}

#[test]
fn what_the_library_gave_outlives_the_manager() {
    let (alice, _) = participant("alice", Config::new());
    let (bob, _) = participant("bob", Config::new());
    alice.wrap("channel", "m0", "lost").unwrap();
    let payload = alice.wrap("channel", "m1", "one").unwrap();
    let message = bob.unwrap(&payload).unwrap();
    let error = bob.wrap("", "m1", "one").unwrap_err();
    drop((alice, bob));
    std::thread::spawn(move || {
        assert_eq!(message.message_id(), "m1");
        assert_eq!(message.missing()[0].message_id, "m0");
        assert!(payload.len() > 3 && !error.to_string().is_empty());
    })
    .join()
    .unwrap();
}

#[test]
fn errors_have_a_kind_and_the_words_of_the_library() {
    let config = Config::new().max_content_bytes(4).max_id_bytes(8).max_channels(1);
    let (alice, _) = participant("alice", config);
    let large = alice.wrap("c", "m1", "12345").unwrap_err();
    assert_eq!((large.kind(), large.status()), (ErrorKind::MessageTooLarge, 15));
    assert_eq!(
        large.to_string(),
        "libsds error: content is too large: 5 bytes, more than \
         maxContentBytes (4)"
    );
    let _: Box<dyn std::error::Error + Send + Sync> = large.into();
    alice.ensure_channel("c").unwrap();
    let kinds = [
        (alice.wrap("c", "123456789", "1").err(), ErrorKind::InvalidArgument),
        (alice.wrap("c", "m1", "").err(), ErrorKind::InvalidArgument),
        (alice.wrap("", "m1", "1").err(), ErrorKind::InvalidArgument),
        (alice.wrap_ephemeral("c", "", "1").err(), ErrorKind::InvalidArgument),
        (alice.mark_met("d", ["m1"]).err(), ErrorKind::InvalidArgument),
        (alice.mark_met("c", ["m1", ""]).err(), ErrorKind::InvalidArgument),
        (alice.unwrap("no message").err(), ErrorKind::Deserialization),
        (alice.unwrap("").err(), ErrorKind::Deserialization),
        (alice.ensure_channel("d").err(), ErrorKind::LimitExceeded),
    ];
    for (error, kind) in kinds {
        let error = error.expect("an error");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().starts_with("libsds error: "));
    }
}

#[test]
fn huge_arguments_are_refused() {
    let (alice, _) = participant("alice", Config::new());
    let huge = "x".repeat(64 << 20);
    assert_eq!(alice.wrap(&huge, "m1", "1").unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(alice.wrap("c", &huge, "1").unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(alice.wrap("c", "m1", &huge).unwrap_err().kind(), ErrorKind::MessageTooLarge);
    assert_eq!(alice.unwrap(&huge).unwrap_err().kind(), ErrorKind::Deserialization);
    assert!(sds::Options::new().participant_id(huge).open().is_err());
    alice.ensure_channel("c").unwrap();
    let many = std::iter::repeat("m").take(1_000_001);
    assert_eq!(alice.mark_met("c", many).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn after_close_every_call_is_an_error() {
    let (alice, _) = participant("alice", Config::new());
    alice.wrap("channel", "m1", "one").unwrap();
    alice.close().unwrap();
    let errors = [
        alice.close().unwrap_err(),
        alice.wrap("channel", "m2", "two").unwrap_err(),
        alice.wrap_sync("channel").unwrap_err(),
        alice.wrap_ephemeral("channel", "m2", "two").unwrap_err(),
        alice.unwrap("payload").unwrap_err(),
        alice.mark_met("channel", ["m1"]).unwrap_err(),
        alice.ensure_channel("channel").unwrap_err(),
        alice.drop_channel("channel").unwrap_err(),
        alice.reset().unwrap_err(),
        alice.start().unwrap_err(),
        alice.tick(SystemTime::now()).unwrap_err(),
        alice.channels().unwrap_err(),
        alice.inspect("channel").unwrap_err(),
        alice.stats().unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidContext, "{error}");
    }
}

#[test]
fn channels_are_made_listed_forgotten() {
    let (alice, _) = participant("alice", Config::new());
    assert_eq!(alice.channels().unwrap(), r#"{"channels":[]}"#);
    alice.ensure_channel("one").unwrap();
    alice.wrap("two", "m1", "content").unwrap();
    let channels = alice.channels().unwrap();
    assert!(channels.contains(r#""channelId":"one""#) && channels.contains(r#""channelId":"two""#));
    assert!(alice.inspect("two").unwrap().contains(r#""messageId":"m1""#));
    assert!(alice.stats().unwrap().contains(r#""name":"sds_messages_wrapped_total""#));
    alice.drop_channel("two").unwrap();
    alice.drop_channel("two").unwrap();
    assert!(!alice.channels().unwrap().contains("two"));
    alice.reset().unwrap();
    assert_eq!(alice.channels().unwrap(), r#"{"channels":[]}"#);
}

#[test]
fn every_key_of_the_configuration_is_known_to_the_library() {
    let path = diary::folder("every_key").join("every \"key\" ä.sds");
    let config = Config::new()
        .bloom_filter_capacity(100)
        .bloom_filter_error_rate(1e-9)
        .max_message_history(10)
        .max_causal_history(2)
        .resend_interval(Duration::from_secs(1))
        .max_resend_attempts(1)
        .sync_message_interval(Duration::from_secs(1))
        .buffer_sweep_interval(Duration::from_secs(1))
        .repair_t_min(Duration::from_secs(1))
        .repair_t_max(Duration::from_secs(2))
        .num_response_groups(2)
        .max_repair_requests(1)
        .repair_sweep_interval(Duration::from_secs(1))
        .wire_format(sds::WireFormat::Lip109)
        .channel_wire_formats([("channel", sds::WireFormat::Sds03)])
        .lamport_unit(sds::LamportUnit::Milliseconds)
        .ack_confidence(1e-300)
        .possible_ack_threshold(1)
        .missing_dependency_timeout(Duration::ZERO)
        .max_lamport_drift(Duration::from_secs(1))
        .store_path(&path)
        .store_sync(sds::StoreSync::Batch)
        .max_content_bytes(10)
        .max_wire_bytes(1000)
        .max_history_entries(10)
        .max_id_bytes(10)
        .max_channels(1)
        .accept_unknown_channels(false)
        .max_incoming_messages(1)
        .max_incoming_bytes(1)
        .max_outgoing_messages(1)
        .max_repair_entries(1);
    assert_eq!(config.to_string().matches("\":").count(), 33);
    let (alice, _) = participant("alice", config.clone());
    alice.wrap("channel", "m1", "one").unwrap();
    assert!(alice.inspect("channel").unwrap().contains(r#""wireFormat":"sds-0.3""#));
    assert_eq!(alice.wrap("channel", "m2", "two").unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert!(path.exists());

    let again = sds::Options::new().config(config).open().unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Persistence);
    for format in [sds::WireFormat::Sds02, sds::WireFormat::Sds04, sds::WireFormat::Lip109] {
        participant("alice", Config::new().wire_format(format));
    }
    for unit in [sds::LamportUnit::Auto, sds::LamportUnit::Seconds] {
        participant("alice", Config::new().lamport_unit(unit).store_sync(sds::StoreSync::Full));
    }
}

#[test]
fn a_bad_configuration_names_key_value_and_what_it_takes() {
    let words = |options: sds::Options| {
        let error = options.open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        error.to_string()
    };
    assert_eq!(
        words(sds::Options::new().config(Config::new().max_message_history(0))),
        "libsds error: config: \"maxMessageHistory\" takes a whole number from 1 to \
         10000000, not 0"
    );
    let infinite = Config::new().bloom_filter_error_rate(f64::INFINITY);
    assert!(words(sds::Options::new().config(infinite)).contains("\"bloomFilterErrorRate\" takes"));
    let endless = Config::new().resend_interval(Duration::MAX);
    assert!(words(sds::Options::new().config(endless)).contains("\"resendIntervalMs\" takes"));
    assert!(words(sds::Options::new().config(Config::new().store_path("a\0b"))).contains("NUL"));
    assert!(words(sds::Options::new().config_json("{\"maxChannels\": \"\0\"}")).contains("NUL"));
    assert!(words(sds::Options::new().config_json("[]")).contains("not a JSON object"));
    assert!(words(sds::Options::new().config_json("{\"x\":1}")).contains("unknown key"));
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let path = std::ffi::OsStr::from_bytes(b"/tmp/\xff");
        assert!(words(sds::Options::new().config(Config::new().store_path(path))).contains("UTF-8"));
    }
    sds::Options::new().config_json("{\"maxChannels\": 1}").open().unwrap().close().unwrap();
    sds::Options::new().config_json("").open().unwrap().close().unwrap();
}

#[test]
fn an_owned_event_equals_the_one_that_was_lent() {
    let kept = Diary::default();
    let notes = kept.clone();
    let bob = sds::Options::new()
        .event_handler(move |_, event| {
            assert!(matches!(&event, Event::MessageReady { content: Cow::Borrowed(_), .. }));
            let owned = event.clone().into_owned();
            assert_eq!(owned, event);
            assert!(matches!(&owned, Event::MessageReady { content: Cow::Owned(_), .. }));
            notes.note(event);
        })
        .open()
        .unwrap();
    let (alice, _) = participant("alice", Config::new());
    bob.unwrap(alice.wrap("channel", "m1", "one").unwrap()).unwrap();
    assert_eq!(kept.delivered(), ["m1"]);
}

#[test]
fn the_library_names_its_version() {
    assert_eq!(sds::version(), include_str!("../../../../VERSION").trim());
    assert_eq!(sds::abi_version(), 1);
}
