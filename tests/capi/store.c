/*
 * The store built into the library: storePath in the configuration, and a host
 * is durable without a line of code. Each rule has a folder of its own, under
 * the one that TMPDIR names or /tmp.
 */
#include "host.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[512];

/* path_of returns the name of a file in the rule's folder. */
static char *path_of(const char *name)
{
    char *path = scratch(sizeof folder + strlen(name) + 2);

    sprintf(path, "%s/%s", folder, name);
    return path;
}

/* config_for returns a configuration with this store and further keys ("" for none). */
static char *config_for(const char *name, const char *further)
{
    char *config = scratch(sizeof folder + strlen(name) + strlen(further) + 100);

    sprintf(config, "{\"storePath\":\"%s\"," SMALL_FILTER "%s}", path_of(name), further);
    return config;
}

/* in_folder runs a rule in a folder that is gone afterwards. */
static void in_folder(void (*rule)(void))
{
    const char *temporary = getenv("TMPDIR");
    char command[sizeof folder + 20];

    snprintf(folder, sizeof folder, "%s/libsds-store-XXXXXX", temporary != NULL ? temporary : "/tmp");
    if (!EXPECT(mkdtemp(folder) != NULL))
        return;
    rule();
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    EXPECT_NUMBER(system(command), 0);
}

/* refused_with opens a context that must be refused, and returns why. */
static char *refused_with(const char *config)
{
    struct answer answer = {0};

    EXPECT(SdsNewReliabilityManagerWithConfig("alice", config, take_answer, &answer) == NULL);
    EXPECT_NUMBER(answer.calls, 1);
    EXPECT_NUMBER(answer.code, RET_ERR);
    return answer.text != NULL ? answer.text : scratch(1);
}

static void write_file(const char *path, const char *contents, size_t length)
{
    FILE *file = fopen(path, "wb");

    if (!EXPECT(file != NULL))
        return;
    EXPECT_NUMBER(fwrite(contents, 1, length, file), length);
    EXPECT_NUMBER(fclose(file), 0);
}

static void restart_goes_on(void)
{
    static const char *const modes[] = {",\"storeSync\":\"full\"", ",\"storeSync\":\"batch\""};
    size_t i;

    for (i = 0; i < 2; i++) {
        char *config = config_for(i == 0 ? "full" : "batch", modes[i]);
        void *alice = open_context("alice", config), *bob = open_context("bob", NULL);
        struct journal *journal = new_journal();
        struct bytes first, second, third;

        wrapped(alice, "channel", "a1", "hello");
        first = wrapped(bob, "channel", "b1", "one");
        second = wrapped(bob, "channel", "b2", "two");
        third = wrapped(bob, "channel", "b3", "three");
        unwrapped(alice, first);
        unwrapped(alice, third); /* waits for the second */
        close_context(alice);

        alice = open_context("alice", config);
        SdsSetEventCallback(alice, journal_event, journal);
        EXPECT(json_is(json_get(unwrapped(alice, first), "duplicate"), "true"));
        unwrapped(alice, second);
        EXPECT_NUMBER(journal_count(journal, "message_ready", "b2"), 1);
        EXPECT_NUMBER(journal_count(journal, "message_ready", "b3"), 1);
        EXPECT_NUMBER(journal_count(journal, "message_ready", NULL), 2);
        close_context(alice);
        close_context(bob);
    }
}
static void a_restart_goes_on_where_the_process_ended(void) { in_folder(restart_goes_on); }

static void resends_of_unused_channel(void)
{
    char *config = config_for("store", ",\"resendIntervalMs\":1,\"bufferSweepIntervalMs\":20");
    struct journal *journal = new_journal();
    void *alice = open_context("alice", config);
    struct json event;

    wrapped(alice, "channel", "a1", "hello");
    close_context(alice);
    alice = open_context("alice", config);
    SdsSetEventCallback(alice, journal_event, journal);
    EXPECT_DONE(start_tasks(alice));
    event = journal_wait(journal, "resend_ready", "a1");
    EXPECT_TEXT(json_string(json_get(event, "channelId")), "channel");
    close_context(alice);
}
static void what_is_unacknowledged_is_resent_without_using_its_channel(void) { in_folder(resends_of_unused_channel); }

static void from_environment(void)
{
    void *alice;
    struct bytes wire;

    setenv("SDS_CONFIG", config_for("store", ""), 1);
    alice = open_context("alice", NULL);
    wire = wrapped(alice, "channel", "a1", "hello");
    close_context(alice);
    alice = open_context("alice", NULL);
    EXPECT(json_is(json_get(unwrapped(alice, wire), "duplicate"), "true"));
    close_context(alice);
    unsetenv("SDS_CONFIG");
}
static void the_environment_makes_an_old_host_durable(void) { in_folder(from_environment); }

static void one_context(void)
{
    char *config = config_for("store", "");
    void *alice = open_context("alice", config);
    int status;
    pid_t child;

    EXPECT(strstr(refused_with(config), "in use") != NULL);
    EXPECT(strstr(refused_with(config), path_of("store")) != NULL);

    /* Another process, which has to load the library anew. */
    child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "store", "--open", config, (char *)NULL);
        _exit(99);
    }
    EXPECT_NUMBER(waitpid(child, &status, 0), child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 1);

    close_context(alice);
    alice = open_context("alice", config);
    close_context(alice);
}
static void a_file_serves_one_context_at_a_time(void) { in_folder(one_context); }

static void unusable_files(void)
{
    char *text;

    write_file(path_of("foreign"), "Dear diary, today I was taken for a database.\n", 46);
    text = refused_with(config_for("foreign", ""));
    EXPECT_TEXT(scratch_copy(text, strlen("libsds error: store ")), "libsds error: store ");
    EXPECT(strstr(text, path_of("foreign")) != NULL);
    EXPECT(strstr(text, "not a store of libsds") != NULL);
    text = refused_with(config_for("no/such/folder", ""));
    EXPECT(strstr(text, "no such file or directory") != NULL);
    EXPECT_NUMBER(mkdir(path_of("folder"), 0700), 0);
    text = refused_with(config_for("folder", ""));
    EXPECT(strstr(text, "not a regular file") != NULL);
    text = refused_with(config_for("store", ",\"maxIdBytes\":1000000"));
    EXPECT(strstr(text, "maxIdBytes") != NULL);
    text = refused_with(config_for("store", ",\"storeSync\":\"sometimes\""));
    EXPECT(strstr(text, "\"full\", \"batch\"") != NULL);
}
static void an_unusable_file_is_an_error_that_names_it(void) { in_folder(unusable_files); }

static void cut_short(void)
{
    void *alice = open_context("alice", config_for("store", ""));
    struct answer answer;

    wrapped(alice, "channel", "a1", "hello");
    EXPECT_NUMBER(truncate(path_of("store"), 0), 0);
    wrapped(alice, "channel", "a2", "still here"); /* a failing save fails no operation */
    answer = wrap(alice, "elsewhere", "a3", "hello");
    EXPECT_FAILED(answer, "error processing WRAP_MESSAGE request: rePersistenceError");
    EXPECT(answer.text != NULL && strstr(answer.text, "damaged") != NULL);
    close_context(alice);
}
static void a_file_that_is_cut_short_while_it_is_open_ends_nothing(void) { in_folder(cut_short); }

struct talker {
    void *ctx;
    char channel[16];
    int number, rounds;
    struct bytes last; /* what its last wrap gave */
};

static void *talk(void *argument)
{
    struct talker *talker = argument;
    int i;

    for (i = 0; i < talker->rounds; i++) {
        char id[40];

        sprintf(id, "%d-%d", talker->number, i);
        talker->last = wrapped(talker->ctx, talker->channel, id, "content");
    }
    return NULL;
}

static void many_threads(void)
{
    enum { TALKERS = 8 };
    char *config = config_for("store", ",\"storeSync\":\"batch\",\"maxCausalHistory\":1000");
    void *alice = open_context("alice", config);
    struct talker talkers[TALKERS];
    pthread_t threads[TALKERS];
    int i, rounds = scaled(50);

    for (i = 0; i < TALKERS; i++) {
        talkers[i].ctx = alice;
        talkers[i].rounds = rounds;
        talkers[i].number = i;
        sprintf(talkers[i].channel, "channel %d", i / 2); /* two in each */
        EXPECT_NUMBER(pthread_create(&threads[i], NULL, talk, &talkers[i]), 0);
    }
    for (i = 0; i < TALKERS; i++)
        pthread_join(threads[i], NULL);
    close_context(alice);

    alice = open_context("alice", config);
    for (i = 0; i < TALKERS; i++)
        EXPECT(json_is(json_get(unwrapped(alice, talkers[i].last), "duplicate"), "true"));
    close_context(alice);
}
static void threads_share_their_commits(void) { in_folder(many_threads); }

static void *reopened;

static void clean_up_and_open_again(int code, const char *json, size_t length, void *userData)
{
    (void)code;
    (void)json;
    (void)length;
    close_context(userData);
    reopened = open_context("alice", config_for("store", ""));
}

static void from_callbacks(void)
{
    void *alice = open_context("alice", config_for("store", "")), *bob = open_context("bob", NULL);
    struct bytes wire = wrapped(bob, "channel", "b1", "hello");

    reopened = NULL;
    SdsSetEventCallback(alice, clean_up_and_open_again, alice);
    unwrapped(alice, wire);
    if (EXPECT(reopened != NULL)) {
        EXPECT(json_is(json_get(unwrapped(reopened, wire), "duplicate"), "true"));
        close_context(reopened);
    }
    close_context(bob);
}
static void a_cleanup_inside_a_callback_releases_the_file(void) { in_folder(from_callbacks); }

static void removal_and_reset(void)
{
    char *config = config_for("store", "");
    void *alice = open_context("alice", config);
    struct bytes in_one = wrapped(alice, "one", "m", "content"), in_two = wrapped(alice, "two", "m", "content");
    struct answer answer = {0};

    answer.returned = SdsRemoveChannel(alice, "one", take_answer, &answer);
    EXPECT_DONE(answer);
    close_context(alice);
    alice = open_context("alice", config);
    EXPECT(json_is(json_get(unwrapped(alice, in_one), "duplicate"), "false"));
    close_context(alice);

    alice = open_context("alice", config); /* has used none of its channels */
    memset(&answer, 0, sizeof answer);
    answer.returned = SdsResetReliabilityManager(alice, take_answer, &answer);
    EXPECT_DONE(answer);
    EXPECT(json_is(json_get(unwrapped(alice, in_one), "duplicate"), "false"));
    EXPECT(json_is(json_get(unwrapped(alice, in_two), "duplicate"), "false"));
    close_context(alice);
}
static void what_is_removed_or_reset_does_not_come_back(void) { in_folder(removal_and_reset); }

/* open_only is this program in another process: 0 if it got the store, 1 if not. */
static int open_only(const char *config)
{
    struct answer answer = {0};

    return SdsNewReliabilityManagerWithConfig("alice", config, take_answer, &answer) != NULL ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--open") == 0)
        return open_only(argv[2]);
    expect_begin(argc, argv);
    RUN(a_restart_goes_on_where_the_process_ended);
    RUN(what_is_unacknowledged_is_resent_without_using_its_channel);
    RUN(the_environment_makes_an_old_host_durable);
    RUN(a_file_serves_one_context_at_a_time);
    RUN(an_unusable_file_is_an_error_that_names_it);
    RUN(a_file_that_is_cut_short_while_it_is_open_ends_nothing);
    RUN(threads_share_their_commits);
    RUN(a_cleanup_inside_a_callback_releases_the_file);
    RUN(what_is_removed_or_reset_does_not_come_back);
    return expect_end();
}
