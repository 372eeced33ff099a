/*
 * The header alone, twice, with nothing before it; then every name with the
 * type, value and layout that hosts were compiled against. C and C++ read this
 * file, for 64 and for 32 bits.
 */
#include <libsds.h>
#include <libsds.h>

/* IS fails to compile unless the condition holds, which the name says. */
#if defined(__cplusplus)
#define IS(name, condition) static_assert(condition, #name)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define IS(name, condition) _Static_assert(condition, #name)
#else
#define IS(name, condition) typedef char name[(condition) ? 1 : -1]
#endif

/* ---- values ---------------------------------------------------------------- */

IS(ret_ok_is_0, RET_OK == 0);
IS(ret_err_is_1, RET_ERR == 1);
IS(ret_missing_callback_is_2, RET_MISSING_CALLBACK == 2);

#if SDS_ABI_VERSION != 1
#error "the preprocessor has to know SDS_ABI_VERSION, for hosts that compile for several"
#endif
IS(the_version_is_a_string_of_three_numbers, sizeof(SDS_VERSION "") >= sizeof("0.0.0"));

IS(sds_ok_is_0, SDS_OK == 0);
IS(sds_err_is_ret_err, SDS_ERR == RET_ERR);
IS(sds_err_missing_callback_is_ret_missing_callback, SDS_ERR_MISSING_CALLBACK == RET_MISSING_CALLBACK);
IS(sds_err_invalid_argument_is_10, SDS_ERR_INVALID_ARGUMENT == 10);
IS(sds_err_out_of_memory_is_11, SDS_ERR_OUT_OF_MEMORY == 11);
IS(sds_err_internal_is_12, SDS_ERR_INTERNAL == 12);
IS(sds_err_serialization_is_13, SDS_ERR_SERIALIZATION == 13);
IS(sds_err_deserialization_is_14, SDS_ERR_DESERIALIZATION == 14);
IS(sds_err_message_too_large_is_15, SDS_ERR_MESSAGE_TOO_LARGE == 15);
IS(sds_err_persistence_is_16, SDS_ERR_PERSISTENCE == 16);
IS(sds_err_limit_exceeded_is_17, SDS_ERR_LIMIT_EXCEEDED == 17);
IS(sds_err_invalid_context_is_20, SDS_ERR_INVALID_CONTEXT == 20);
IS(sds_err_forked_is_21, SDS_ERR_FORKED == 21);

IS(sds_kind_content_is_1, SDS_KIND_CONTENT == 1);
IS(sds_kind_sync_is_2, SDS_KIND_SYNC == 2);
IS(sds_kind_ephemeral_is_3, SDS_KIND_EPHEMERAL == 3);

IS(sds_event_message_ready_is_1, SDS_EVENT_MESSAGE_READY == 1);
IS(sds_event_message_sent_is_2, SDS_EVENT_MESSAGE_SENT == 2);
IS(sds_event_missing_dependencies_is_3, SDS_EVENT_MISSING_DEPENDENCIES == 3);
IS(sds_event_periodic_sync_is_4, SDS_EVENT_PERIODIC_SYNC == 4);
IS(sds_event_repair_ready_is_5, SDS_EVENT_REPAIR_READY == 5);
IS(sds_event_resend_ready_is_6, SDS_EVENT_RESEND_READY == 6);
IS(sds_event_delivery_failed_is_7, SDS_EVENT_DELIVERY_FAILED == 7);
IS(sds_event_dependencies_lost_is_8, SDS_EVENT_DEPENDENCIES_LOST == 8);

IS(a_status_is_an_int, sizeof(SdsStatus) == sizeof(int));
IS(a_kind_is_an_int, sizeof(SdsKind) == sizeof(int));
IS(an_event_type_is_an_int, sizeof(SdsEventType) == sizeof(int));

/* ---- layouts --------------------------------------------------------------- */

/*
 * Structs that begin with `size` may grow at their ends, and then the sizes here
 * grow with them; what is there stays where it is. The others never change.
 *
 * There are three layouts: pointers of 64 bits, pointers of 32 bits, and of
 * these the one of i386, which puts numbers of 64 bits at multiples of 4.
 */
struct wide {
    char before;
    int64_t number;
};

#define LAYOUT(wide64, wide32, i386) \
    (sizeof(void *) == 8 ? (wide64) : offsetof(struct wide, number) == 8 ? (wide32) : (i386))
#define SIZE(type, wide64, wide32, i386) IS(type##_has_its_size, sizeof(type) == LAYOUT(wide64, wide32, i386))
#define AT(type, member, wide64, wide32, i386) \
    IS(type##_##member##_is_in_its_place, offsetof(type, member) == LAYOUT(wide64, wide32, i386))

SIZE(SdsDependency, 32, 16, 16);
AT(SdsDependency, messageId, 0, 0, 0);
AT(SdsDependency, hint, 8, 4, 4);
AT(SdsDependency, hintLen, 16, 8, 8);
AT(SdsDependency, senderId, 24, 12, 12);

SIZE(SdsUnwrapped, 80, 56, 52);
AT(SdsUnwrapped, size, 0, 0, 0);
AT(SdsUnwrapped, kind, 4, 4, 4);
AT(SdsUnwrapped, content, 8, 8, 8);
AT(SdsUnwrapped, contentLen, 16, 12, 12);
AT(SdsUnwrapped, channelId, 24, 16, 16);
AT(SdsUnwrapped, messageId, 32, 20, 20);
AT(SdsUnwrapped, senderId, 40, 24, 24);
AT(SdsUnwrapped, lamport, 48, 32, 28);
AT(SdsUnwrapped, duplicate, 56, 40, 36);
AT(SdsUnwrapped, buffered, 60, 44, 40);
AT(SdsUnwrapped, missing, 64, 48, 44);
AT(SdsUnwrapped, missingCount, 72, 52, 48);

SIZE(SdsEvent, 80, 44, 44);
AT(SdsEvent, size, 0, 0, 0);
AT(SdsEvent, type, 4, 4, 4);
AT(SdsEvent, channelId, 8, 8, 8);
AT(SdsEvent, messageId, 16, 12, 12);
AT(SdsEvent, message, 24, 16, 16);
AT(SdsEvent, messageLen, 32, 20, 20);
AT(SdsEvent, deps, 40, 24, 24);
AT(SdsEvent, depCount, 48, 28, 28);
AT(SdsEvent, attempts, 56, 32, 32);
AT(SdsEvent, channelIds, 64, 36, 36);
AT(SdsEvent, channelCount, 72, 40, 40);

SIZE(SdsOptions, 72, 36, 36);
AT(SdsOptions, size, 0, 0, 0);
AT(SdsOptions, participantId, 8, 4, 4);
AT(SdsOptions, configJson, 16, 8, 8);
AT(SdsOptions, persistence, 24, 12, 12);
AT(SdsOptions, persistenceUserData, 32, 16, 16);
AT(SdsOptions, eventHandler, 40, 20, 20);
AT(SdsOptions, eventUserData, 48, 24, 24);
AT(SdsOptions, hintProvider, 56, 28, 28);
AT(SdsOptions, hintUserData, 64, 32, 32);

SIZE(SdsHistoryRecord, 32, 24, 20);
AT(SdsHistoryRecord, messageId, 0, 0, 0);
AT(SdsHistoryRecord, lamport, 8, 8, 4);
AT(SdsHistoryRecord, message, 16, 16, 12);
AT(SdsHistoryRecord, messageLen, 24, 20, 16);

SIZE(SdsPersistence, 56, 28, 28);
AT(SdsPersistence, size, 0, 0, 0);
AT(SdsPersistence, saveChannelMeta, 8, 4, 4);
AT(SdsPersistence, updateHistory, 16, 8, 8);
AT(SdsPersistence, loadChannel, 24, 12, 12);
AT(SdsPersistence, dropChannel, 32, 16, 16);
AT(SdsPersistence, setRetrievalHint, 40, 20, 20);
AT(SdsPersistence, commit, 48, 24, 24);

/* ---- functions --------------------------------------------------------------- */

/* Each pointer takes its function only if the types are the same. */
struct library {
    const char *(*version)(void);
    uint32_t (*abi_version)(void);
    const char *(*status_string)(int);
    void (*free)(void *);

    int (*open)(const SdsOptions *, void **, char **);
    int (*close)(void *);
    int (*set_event_handler)(void *, SdsEventHandler, void *);
    int (*wrap)(void *, const char *, const char *, const void *, size_t, uint8_t **, size_t *, char **);
    int (*wrap_sync)(void *, const char *, uint8_t **, size_t *, char **);
    int (*wrap_ephemeral)(void *, const char *, const char *, const void *, size_t, uint8_t **, size_t *, char **);
    int (*unwrap)(void *, const void *, size_t, SdsUnwrapped **, char **);
    int (*mark_met)(void *, const char *, const char *const *, size_t, char **);
    int (*ensure_channel)(void *, const char *, char **);
    int (*drop_channel)(void *, const char *, char **);
    int (*reset)(void *, char **);
    int (*start)(void *, char **);
    int (*tick)(void *, int64_t, int64_t *, char **);
    int (*channels)(void *, char **, char **);
    int (*inspect)(void *, const char *, char **, char **);
    int (*stats)(void *, char **, char **);
    int (*set_log_handler)(SdsLogHandler, int, void *);

    void (*load_meta)(SdsCall *, const uint8_t *, size_t);
    void (*load_message)(SdsCall *, const uint8_t *, size_t);
    void (*load_hint)(SdsCall *, const char *, const uint8_t *, size_t);
    void (*fail)(SdsCall *, const char *);
    int (*set_persistence)(void *, const SdsPersistence *, void *, char **);

    void *(*make)(SdsCallBack, void *);
    void *(*make_with_config)(const char *, const char *, SdsCallBack, void *);
    void (*set_events)(void *, SdsCallBack, void *);
    void (*set_hints)(void *, SdsRetrievalHintProvider, void *);
    int (*clean_up)(void *, SdsCallBack, void *);
    int (*reset_manager)(void *, SdsCallBack, void *);
    int (*wrap_outgoing)(void *, void *, size_t, const char *, const char *, SdsCallBack, void *);
    int (*unwrap_received)(void *, void *, size_t, SdsCallBack, void *);
    int (*mark)(void *, char **, size_t, const char *, SdsCallBack, void *);
    int (*start_tasks)(void *, SdsCallBack, void *);
    int (*remove)(void *, const char *, SdsCallBack, void *);
};

struct library declared_functions(void);
struct library declared_functions(void)
{
    struct library library = {
        SdsVersion,
        SdsAbiVersion,
        SdsStatusString,
        SdsFree,

        SdsOpen,
        SdsClose,
        SdsSetEventHandler,
        SdsWrap,
        SdsWrapSync,
        SdsWrapEphemeral,
        SdsUnwrap,
        SdsMarkMet,
        SdsEnsureChannel,
        SdsDropChannel,
        SdsReset,
        SdsStart,
        SdsTick,
        SdsChannels,
        SdsInspect,
        SdsStats,
        SdsSetLogHandler,

        SdsLoadMeta,
        SdsLoadMessage,
        SdsLoadHint,
        SdsFail,
        SdsSetPersistence,

        SdsNewReliabilityManager,
        SdsNewReliabilityManagerWithConfig,
        SdsSetEventCallback,
        SdsSetRetrievalHintProvider,
        SdsCleanupReliabilityManager,
        SdsResetReliabilityManager,
        SdsWrapOutgoingMessage,
        SdsUnwrapReceivedMessage,
        SdsMarkDependenciesMet,
        SdsStartPeriodicTasks,
        SdsRemoveChannel,
    };

    return library;
}

struct callbacks {
    void (*result)(int, const char *, size_t, void *);
    void (*hint)(const char *, char **, size_t *, void *);
    void (*event)(const SdsEvent *, void *);
    void (*log)(int, const char *, size_t, void *);
};

struct callbacks declared_callbacks(SdsCallBack result, SdsRetrievalHintProvider hint, SdsEventHandler event,
                                    SdsLogHandler log);
struct callbacks declared_callbacks(SdsCallBack result, SdsRetrievalHintProvider hint, SdsEventHandler event,
                                    SdsLogHandler log)
{
    struct callbacks callbacks = {result, hint, event, log};

    return callbacks;
}

/* ---- structs ----------------------------------------------------------------- */

/* Each is filled in as a host or the library does it, in the types that its members have. Where one could be
   converted into another without a word, a pointer is taken of it. */

struct procedures {
    int (*save)(SdsCall *, const char *, const uint8_t *, size_t, void *);
    int (*update)(SdsCall *, const char *, const SdsHistoryRecord *, size_t, const char *const *, size_t, void *);
    int (*load)(SdsCall *, const char *, void *);
    int (*drop)(SdsCall *, const char *, void *);
    int (*hint)(SdsCall *, const char *, const char *, const uint8_t *, size_t, void *);
    int (*commit)(SdsCall *, const char *, const uint8_t *, size_t, const SdsHistoryRecord *, size_t,
                  const char *const *, size_t, void *);
};

SdsPersistence declared_persistence(struct procedures host);
SdsPersistence declared_persistence(struct procedures host)
{
    SdsPersistence persistence = {sizeof(SdsPersistence), host.save, host.update, host.load, host.drop, host.hint,
                                  host.commit};

    return persistence;
}

SdsHistoryRecord declared_record(const char *id, int64_t lamport, const uint8_t *message, size_t length);
SdsHistoryRecord declared_record(const char *id, int64_t lamport, const uint8_t *message, size_t length)
{
    SdsHistoryRecord record = {id, lamport, message, length};

    return record;
}

SdsOptions declared_options(const SdsPersistence *persistence, struct callbacks callbacks, void *user_data);
SdsOptions declared_options(const SdsPersistence *persistence, struct callbacks callbacks, void *user_data)
{
    SdsOptions options = {sizeof(SdsOptions), "participant", "{}",          persistence, user_data,
                          callbacks.event,    user_data,     callbacks.hint, user_data};

    return options;
}

struct bytes {
    const uint8_t *data;
    size_t length;
};

SdsDependency declared_dependency(const char *id, struct bytes hint, const char *sender);
SdsDependency declared_dependency(const char *id, struct bytes hint, const char *sender)
{
    SdsDependency dependency = {id, hint.data, hint.length, sender};

    return dependency;
}

SdsUnwrapped declared_unwrapped(const char *const *ids, struct bytes content, const SdsDependency *missing,
                                size_t count);
SdsUnwrapped declared_unwrapped(const char *const *ids, struct bytes content, const SdsDependency *missing,
                                size_t count)
{
    SdsUnwrapped unwrapped = {sizeof(SdsUnwrapped), SDS_KIND_CONTENT, content.data, content.length, ids[0], ids[1],
                              ids[2],               1,                0,            1,              missing, count};

    return unwrapped;
}

SdsEvent declared_event(const char *const *ids, struct bytes message, const SdsDependency *deps, size_t count);
SdsEvent declared_event(const char *const *ids, struct bytes message, const SdsDependency *deps, size_t count)
{
    SdsEvent event = {sizeof(SdsEvent), SDS_EVENT_MESSAGE_READY, ids[0], ids[1], message.data, message.length,
                      deps,             count,                   1,      ids,    2};

    return event;
}

struct members {
    int64_t *record_lamport;
    size_t *record_length;
    uint32_t *persistence_size;
    uint32_t *options_size;
    size_t *dependency_hint_length;
    uint32_t *unwrapped_numbers[4];
    uint64_t *unwrapped_lamport;
    size_t *unwrapped_lengths[2];
    uint32_t *event_numbers[3];
    size_t *event_lengths[3];
};

struct members declared_members(SdsHistoryRecord *record, SdsPersistence *persistence, SdsOptions *options,
                                SdsDependency *dependency, SdsUnwrapped *unwrapped, SdsEvent *event);
struct members declared_members(SdsHistoryRecord *record, SdsPersistence *persistence, SdsOptions *options,
                                SdsDependency *dependency, SdsUnwrapped *unwrapped, SdsEvent *event)
{
    struct members members = {
        &record->lamport,
        &record->messageLen,
        &persistence->size,
        &options->size,
        &dependency->hintLen,
        {&unwrapped->size, &unwrapped->kind, &unwrapped->duplicate, &unwrapped->buffered},
        &unwrapped->lamport,
        {&unwrapped->contentLen, &unwrapped->missingCount},
        {&event->size, &event->type, &event->attempts},
        {&event->messageLen, &event->depCount, &event->channelCount},
    };

    return members;
}

/* ---- C++ --------------------------------------------------------------------- */

#ifdef __cplusplus
/* A context as a class: every type of the header as a member, a parameter or a base, and what the library gives in
   hands that free it. */
template <typename Block> class Owned {
  public:
    explicit Owned(Block *block = nullptr) : block_(block) {}
    Owned(const Owned &) = delete;
    Owned &operator=(const Owned &) = delete;
    ~Owned() { SdsFree(block_); }
    Block **out() { return &block_; }
    const Block &operator*() const { return *block_; }

  private:
    Block *block_;
};

class Participant : private SdsOptions {
  public:
    explicit Participant(const char *name) : SdsOptions(), procedures_(), status_(SDS_OK)
    {
        procedures_.size = sizeof procedures_;
        procedures_.loadChannel = [](SdsCall *call, const char *, void *) {
            SdsFail(call, "nothing is kept");
            return 1;
        };
        size = sizeof(SdsOptions);
        participantId = name;
        persistence = &procedures_;
        eventHandler = [](const SdsEvent *event, void *self) { static_cast<Participant *>(self)->take(*event); };
        eventUserData = this;
        status_ = static_cast<SdsStatus>(SdsOpen(this, &ctx_, nullptr));
    }
    Participant(const Participant &) = delete;
    Participant &operator=(const Participant &) = delete;
    virtual ~Participant() { SdsClose(ctx_); }

    SdsKind receive(const uint8_t *message, size_t length)
    {
        Owned<SdsUnwrapped> result;
        Owned<char> error;

        status_ = static_cast<SdsStatus>(SdsUnwrap(ctx_, message, length, result.out(), error.out()));
        return status_ == SDS_OK ? static_cast<SdsKind>((*result).kind) : SDS_KIND_CONTENT;
    }

  protected:
    virtual void take(const SdsEvent &event)
    {
        type_ = static_cast<SdsEventType>(event.type);
        if (event.depCount > 0)
            first_ = event.deps[0];
    }

    SdsPersistence procedures_;
    SdsStatus status_;
    SdsEventType type_ = SDS_EVENT_MESSAGE_READY;
    SdsDependency first_ = {};
    SdsHistoryRecord record_ = {};
    SdsEventHandler handler_ = nullptr;
    SdsLogHandler log_ = nullptr;
    SdsRetrievalHintProvider hints_ = nullptr;
    SdsCallBack callback_ = nullptr;
    void *ctx_ = nullptr;
};

SdsKind declared_class(const uint8_t *message, size_t length);
SdsKind declared_class(const uint8_t *message, size_t length) { return Participant("alice").receive(message, length); }
#endif
