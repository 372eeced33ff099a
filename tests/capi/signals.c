/*
 * Loading the library changes nothing about the host's signals, SIGSEGV,
 * SIGBUS and SIGFPE aside. Each rule runs in a child that loads the library
 * itself (SDS_LIBRARY names the file), so that each sees the first loading.
 */
#include "expect.h"

#include <dlfcn.h>
#include <errno.h>
#include <libsds.h>
#include <sys/wait.h>

enum { LAST_SIGNAL = 64 };

/*
 * Two flags may be added to what the host has set. SA_ONSTACK: a handler of the
 * host may be run by a thread of the library, and has no room on the stack of a
 * goroutine; the Go runtime sees to it that it runs on the signal stack there.
 * SA_RESTORER, which has no name outside the kernel: the C library adds it
 * whenever it sets an action.
 */
#ifndef SA_ONSTACK
#define SA_ONSTACK 0x08000000 /* not in POSIX.1-2008 without XSI */
#endif
static const int tolerated_flags = SA_ONSTACK | 0x04000000;

typedef void *new_manager(SdsCallBack callback, void *userData);
typedef int wrap_message(void *ctx, void *message, size_t length, const char *id, const char *channel,
                         SdsCallBack callback, void *userData);
typedef int context_call(void *ctx, SdsCallBack callback, void *userData);

static struct {
    void *handle;
    new_manager *open;
    wrap_message *wrap;
    context_call *start;
    context_call *cleanup;
} library;

static void count(int code, const char *text, size_t length, void *userData)
{
    (void)text;
    (void)length;
    if (code == RET_OK)
        ++*(int *)userData;
}

/* symbol converts the only way that ISO C leaves: object pointers and function pointers are not the same to it. */
static void symbol(const char *name, void *function)
{
    void *address = dlsym(library.handle, name);

    EXPECT(address != NULL);
    memcpy(function, &address, sizeof address);
}

static void load(void)
{
    const char *file = getenv("SDS_LIBRARY");

    library.handle = dlopen(file != NULL ? file : "libsds.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!EXPECT(library.handle != NULL)) {
        printf("    %s\n", dlerror());
        fflush(stdout);
        _exit(1);
    }
    symbol("SdsNewReliabilityManager", &library.open);
    symbol("SdsWrapOutgoingMessage", &library.wrap);
    symbol("SdsStartPeriodicTasks", &library.start);
    symbol("SdsCleanupReliabilityManager", &library.cleanup);
}

/* use makes the library work: a context, its timer, messages enough for collections. */
static void use(void)
{
    int answers = 0, expected = 3, i;
    void *ctx = library.open(count, &answers);

    library.start(ctx, count, &answers);
    for (i = 0; i < scaled(500); i++, expected++) {
        char id[32];

        snprintf(id, sizeof id, "m%d", i);
        library.wrap(ctx, id, strlen(id), id, "channel", count, &answers);
    }
    library.cleanup(ctx, count, &answers);
    EXPECT_NUMBER(answers, expected);
}

/* status_of runs body in a child and returns how it ended. A body that returns ends with the state of its checks. */
static int status_of(void (*body)(void))
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(60);
        body();
        fflush(stdout);
        _exit(atomic_load(&expectations.failures) > 0 ? 1 : 0);
    }
    EXPECT_NUMBER(waitpid(child, &status, 0), child);
    return status;
}

static void expect_child_succeeds(void (*body)(void))
{
    int status = status_of(body);

    EXPECT(WIFEXITED(status));
    EXPECT_NUMBER(WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), 0);
}

/* Every action, and what the kernel says of signals that the C library hides. */
struct dispositions {
    struct sigaction actions[LAST_SIGNAL + 1];
    int known[LAST_SIGNAL + 1];
    unsigned long long ignored, caught;
    sigset_t mask;
};

static void read_dispositions(struct dispositions *now)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    int i;

    memset(now, 0, sizeof *now);
    for (i = 1; i <= LAST_SIGNAL; i++)
        now->known[i] = sigaction(i, NULL, &now->actions[i]) == 0;
    pthread_sigmask(SIG_SETMASK, NULL, &now->mask);
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        sscanf(line, "SigIgn: %llx", &now->ignored);
        sscanf(line, "SigCgt: %llx", &now->caught);
    }
    if (status != NULL)
        fclose(status);
}

static unsigned long long bit_of(int signal_number)
{
    return 1ULL << (signal_number - 1);
}

static void expect_same_dispositions(const struct dispositions *before, const char *when)
{
    static struct dispositions after;
    /* 32 and 33 are the C library's own: it takes them when a process starts its first thread. */
    const unsigned long long taken = bit_of(SIGSEGV) | bit_of(SIGBUS) | bit_of(SIGFPE) | bit_of(32) | bit_of(33);
    int i;

    read_dispositions(&after);
    EXPECT((before->ignored & ~taken) == (after.ignored & ~taken));
    EXPECT((before->caught & ~taken) == (after.caught & ~taken));
    for (i = 1; i <= LAST_SIGNAL; i++) {
        const struct sigaction *a = &before->actions[i], *b = &after.actions[i];
        int j, same = before->known[i] == after.known[i] && a->sa_handler == b->sa_handler &&
                      (a->sa_flags | tolerated_flags) == (b->sa_flags | tolerated_flags);

        if (taken & bit_of(i))
            continue;
        for (j = 1; j <= LAST_SIGNAL; j++)
            same = same && sigismember(&a->sa_mask, j) == sigismember(&b->sa_mask, j);
        if (!EXPECT(same))
            printf("    signal %d differs %s: flags %x -> %x\n", i, when, (unsigned)a->sa_flags, (unsigned)b->sa_flags);
        EXPECT_NUMBER(sigismember(&after.mask, i), sigismember(&before->mask, i));
    }
}

static void load_and_compare(void)
{
    static struct dispositions before;

    read_dispositions(&before);
    load();
    expect_same_dispositions(&before, "after loading");
    use();
    expect_same_dispositions(&before, "after use");
}

static void loading_and_using_change_no_disposition(void)
{
    expect_child_succeeds(load_and_compare);
}

static volatile sig_atomic_t urgent, hang_ups;

static void on_urgent(int signal_number)
{
    (void)signal_number;
    urgent++;
}

static void on_hang_up(int signal_number, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    hang_ups += signal_number == SIGHUP;
}

/* A host with settings of its own in every way a signal can be set. */
static void load_into_a_host_with_handlers(void)
{
    static struct dispositions before;
    struct sigaction action;

    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_urgent;
    sigaction(SIGURG, &action, NULL);
    sigaddset(&action.sa_mask, SIGUSR2);
    action.sa_flags = SA_RESTART | SA_NODEFER;
    sigaction(SIGUSR1, &action, NULL);
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = on_hang_up;
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    sigaddset(&action.sa_mask, SIGRTMIN + 3);
    pthread_sigmask(SIG_BLOCK, &action.sa_mask, NULL);

    read_dispositions(&before);
    load();
    expect_same_dispositions(&before, "after loading");
    use();
    expect_same_dispositions(&before, "after use");
    raise(SIGURG);
    raise(SIGUSR1);
    raise(SIGHUP);
    EXPECT_NUMBER(urgent, 2);
    EXPECT_NUMBER(hang_ups, 1);
}

static void handlers_of_the_host_stay_its_own(void)
{
    expect_child_succeeds(load_into_a_host_with_handlers);
}

/* Handlers that are set later belong to the host just the same, and the library sends itself no SIGURG. */
static void set_handlers_after_loading(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_urgent;
    load();
    sigaction(SIGURG, &action, NULL);
    use();
    EXPECT_NUMBER(urgent, 0);
    raise(SIGURG);
    EXPECT_NUMBER(urgent, 1);
}

static void the_library_sends_no_urgent_signals(void)
{
    expect_child_succeeds(set_handlers_after_loading);
}

static void load_and_kill_with_pipe(void)
{
    load();
    use();
    kill(getpid(), SIGPIPE);
    sleep_ms(5000);
}

static void load_and_write_to_nobody(void)
{
    int ends[2];

    load();
    use();
    if (pipe(ends) != 0)
        _exit(2);
    close(ends[0]);
    if (write(ends[1], "x", 1) < 0)
        _exit(3);
}

static void sigpipe_still_ends_a_process_that_does_not_handle_it(void)
{
    int status = status_of(load_and_kill_with_pipe);

    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    status = status_of(load_and_write_to_nobody);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

static void load_and_terminate(void)
{
    load();
    use();
    kill(getpid(), SIGTERM);
    sleep_ms(5000);
}

static void sigterm_still_ends_a_process(void)
{
    int status = status_of(load_and_terminate);

    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void load_close_and_load_again(void)
{
    int answers = 0;
    void *ctx;

    load();
    ctx = library.open(count, &answers);
    library.start(ctx, count, &answers);
    EXPECT_NUMBER(dlclose(library.handle), 0);
    sleep_ms(50);
    load();
    library.cleanup(ctx, count, &answers);
    EXPECT_NUMBER(answers, 3);
    use();
    EXPECT_NUMBER(dlclose(library.handle), 0);
    sleep_ms(50);
}

static void dlclose_is_harmless(void)
{
    expect_child_succeeds(load_close_and_load_again);
}

/* The library stays, with its timers, when the host has closed it, and the process can end all the same. */
static void load_close_and_end(void)
{
    int answers = 0;
    void *ctx;

    load();
    ctx = library.open(count, &answers);
    library.start(ctx, count, &answers);
    EXPECT_NUMBER(answers, 2);
    EXPECT_NUMBER(dlclose(library.handle), 0);
    sleep_ms((int)(getpid() % 5));
    exit(atomic_load(&expectations.failures) > 0);
}

static void a_process_may_end_after_dlclose_while_timers_run(void)
{
    int i;

    for (i = 0; i < scaled(100); i++)
        expect_child_succeeds(load_close_and_end);
}

/* Blocking a signal in order to wait for it works only if no thread of the library takes it. */
static void load_block_and_wait(void)
{
    static const int waited_for[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM};
    const struct timespec limit = {20, 0};
    size_t i;
    int answers = 0;
    void *ctx;
    sigset_t set;

    load();
    ctx = library.open(count, &answers);
    library.start(ctx, count, &answers);
    sleep_ms(50); /* whatever threads there will be are there */
    sigemptyset(&set);
    for (i = 0; i < sizeof waited_for / sizeof waited_for[0]; i++)
        sigaddset(&set, waited_for[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (i = 0; i < sizeof waited_for / sizeof waited_for[0]; i++) {
        kill(getpid(), waited_for[i]);
        EXPECT_NUMBER(sigtimedwait(&set, NULL, &limit), waited_for[i]);
    }
    library.cleanup(ctx, count, &answers);
}

static void a_blocked_signal_comes_to_who_waits_for_it(void)
{
    expect_child_succeeds(load_block_and_wait);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(loading_and_using_change_no_disposition);
    RUN(handlers_of_the_host_stay_its_own);
    RUN(the_library_sends_no_urgent_signals);
    RUN(sigpipe_still_ends_a_process_that_does_not_handle_it);
    RUN(sigterm_still_ends_a_process);
    RUN(a_blocked_signal_comes_to_who_waits_for_it);
    RUN(dlclose_is_harmless);
    RUN(a_process_may_end_after_dlclose_while_timers_run);
    return expect_end();
}
