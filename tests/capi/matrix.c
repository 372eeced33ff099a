/*
 * Every exported function in every misuse. The rows are in matrix_functions.h,
 * the columns in matrix_misuses.h, and what has to come out in matrix_expected.h;
 * a function or a misuse more is one row there.
 *
 * `matrix --table FILE` also writes what came out, as Markdown; `matrix
 * --functions` lists the names of the functions.
 */
#include "matrix_expected.h"
#include "matrix_table.h"

static struct matrix matrix;

/* Whether a name stands in a list with blanks in between. */
static int is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    const char *at;

    for (at = list; (at = strstr(at, name)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return 1;
    return 0;
}

static const char *family_name(enum family family)
{
    static const char *const names[] = {"native", "callback", "constructor", "setter", "helper", "anywhere"};

    return names[family];
}

/* Which rows of the expectations were looked for. */
static int is_used[EXPECTED];

static const char *expected_result(const struct misuse *misuse, const struct function *function)
{
    int i;

    for (i = 0; i < EXPECTED; i++)
        if (strcmp(expected[i].misuse, misuse->name) == 0 &&
            (is_listed(expected[i].functions, function->name) ||
             is_listed(expected[i].functions, family_name(function->family)))) {
            is_used[i] = 1;
            return expected[i].result;
        }
    return "a row in matrix_expected.h";
}

/* The result is the one that is expected, and the text, if one is, begins like it. */
static int is_as_expected(const struct verdict *verdict, const char *result)
{
    const char *colon = strstr(result, ": ");
    size_t length = colon != NULL ? (size_t)(colon - result) : strlen(result);

    return strlen(verdict->result) == length && strncmp(verdict->result, result, length) == 0 &&
           (colon == NULL || strncmp(verdict->text, colon + 2, strlen(colon + 2)) == 0);
}

/* ---- one cell ---------------------------------------------------------------------- */

/* What a child has to say. */
struct report {
    struct verdict verdict;
    int checks, failures;
};

static void attempt_in_a_child(struct attempt *attempt, struct verdict *verdict)
{
    struct report report = {{"no report", ""}, 0, 0};
    int pipes[2], status = 0;
    int checks = atomic_load(&expectations.checks), failures = atomic_load(&expectations.failures);
    pid_t child;

    EXPECT_NUMBER(pipe(pipes), 0);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(20);
        attempt->function->call(&attempt->arguments, &attempt->outcome);
        attempt->is_closed = 1; /* here, it is no use */
        judge(attempt, &report.verdict);
        free_outcome(attempt, &attempt->outcome);
        report.checks = atomic_load(&expectations.checks) - checks;
        report.failures = atomic_load(&expectations.failures) - failures;
        _exit(write(pipes[1], &report, sizeof report) == sizeof report ? 0 : 1);
    }
    close(pipes[1]);
    EXPECT_NUMBER(read(pipes[0], &report, sizeof report), sizeof report);
    close(pipes[0]);
    EXPECT_NUMBER(waitpid(child, &status, 0), child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT_NUMBER(report.failures, 0);
    atomic_fetch_add(&expectations.checks, report.checks);
    *verdict = report.verdict;
    if (attempt->function->takes & MEMORY)
        SdsFree(attempt->arguments.memory);
}

/* The context works, or is gone. */
static void expect_unharmed(struct attempt *attempt)
{
    uint8_t *message = NULL;
    size_t length = 0;
    int status = attempt->is_closed ? SDS_ERR_INVALID_CONTEXT : SDS_OK;

    EXPECT_NUMBER(SdsWrap(attempt->ctx, "channel", "after", "x", 1, &message, &length, NULL), status);
    SdsFree(message);
    EXPECT_NUMBER(SdsClose(attempt->ctx), status);
}

static int is_success(const struct verdict *verdict)
{
    return strncmp(verdict->result, "OK", 2) == 0 || strncmp(verdict->result, "RET_OK", 6) == 0;
}

static void run_cell(const struct misuse *misuse, const struct function *function, struct cell *cell)
{
    static struct attempt attempt;
    const char *wanted = expected_result(misuse, function);
    int i;

    begin_attempt(&attempt, function);
    if (misuse->spoil != NULL)
        misuse->spoil(&attempt);
    if (misuse->make == in_a_forked_child) {
        attempt_in_a_child(&attempt, &cell->verdict);
    } else {
        (misuse->make != NULL ? misuse->make : straight_on)(&attempt);
        EXPECT_NUMBER(attempt.made, 1);
        judge(&attempt, &cell->verdict);
    }
    if (!EXPECT(is_as_expected(&cell->verdict, wanted)))
        printf("    %s, %s: \"%s: %s\", expected \"%s\"\n", function->name, misuse->name, cell->verdict.result,
               cell->verdict.text, wanted);
    free_outcome(&attempt, &attempt.outcome);
    for (i = 0; i < attempt.other_count; i++)
        free_outcome(&attempt, &attempt.others[i]);
    if (function->call == call_SdsSetLogHandler)
        EXPECT_NUMBER(SdsSetLogHandler(NULL, 0, NULL), SDS_OK);
    if (function->ends && (is_success(&cell->verdict) || misuse->make == twice_in_a_row))
        attempt.is_closed = 1;
    expect_unharmed(&attempt);
    cell->applies = 1;
}

/* ---- all of them --------------------------------------------------------------------- */

static int group;

static void every_function_in_every_misuse_of_the_group(void)
{
    const struct misuse *misuse;
    long here[8] = {0};
    int i, function;

    on_the_stack = here;
    if (world.closed == NULL)
        make_world();
    for (i = 0; i < MOST_MISUSES && (misuse = &groups[group].misuses[i])->name != NULL; i++) {
        matrix.misuses++;
        for (function = 0; function < FUNCTIONS; function++)
            if (applies(misuse, &functions[function])) {
                matrix.applying++;
                run_cell(misuse, &functions[function], &matrix.cells[group][i][function]);
            }
    }
    matrix.checks += atomic_load(&expectations.checks);
}

/* ---- all of them at once --------------------------------------------------------------- */

struct crowd {
    void *ctx;
    atomic_int next;
};

/* Which of these it is depends on who was faster, and whether the context was closed. */
static void expect_one_of_the_outcomes(struct attempt *attempt)
{
    static const char fine[] = "OK RET_OK INVALID_CONTEXT INVALID_ARGUMENT RET_ERR reInvalidArgument nothing works";
    struct verdict verdict;

    if (attempt->function->family == SETTER)
        return;
    judge_one(attempt, &attempt->outcome, &verdict);
    if (attempt->function->family != CONSTRUCTOR && !EXPECT(is_listed(fine, verdict.result)))
        printf("    %s: %s: %s\n", attempt->function->name, verdict.result, verdict.text);
    if (strcmp(verdict.result, "INVALID_CONTEXT") == 0 && attempt->function->takes & EXPLANATION)
        EXPECT_TEXT(verdict.text, "invalid context");
    free_outcome(attempt, &attempt->outcome);
}

static void *call_all(void *argument)
{
    struct crowd *crowd = argument;
    int member = atomic_fetch_add(&crowd->next, 1), rounds = scaled(10), i;

    for (i = 0; i < rounds * FUNCTIONS; i++) {
        const struct function *function = &functions[(i + member) % FUNCTIONS];
        struct attempt attempt;

        if (function->ends)
            continue;
        begin_attempt_in(&attempt, function, crowd->ctx);
        make(&attempt);
        expect_one_of_the_outcomes(&attempt);
    }
    if (member == 0)
        EXPECT_NUMBER(SdsClose(crowd->ctx), SDS_OK);
    return NULL;
}

/* 64 threads call every function on one context, which one of them closes while others go on. */
static void every_function_at_once(void)
{
    struct crowd crowd = {NULL, 0};
    pthread_t threads[MOST_THREADS];
    int count = thread_count(), i;

    if (world.closed == NULL)
        make_world();
    crowd.ctx = open_attempted(NULL, NULL);
    for (i = 0; i < count; i++)
        EXPECT_NUMBER(pthread_create(&threads[i], NULL, call_all, &crowd), 0);
    for (i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    EXPECT_NUMBER(SdsSetLogHandler(NULL, 0, NULL), SDS_OK);
    EXPECT_NUMBER(SdsClose(crowd.ctx), SDS_ERR_INVALID_CONTEXT);
}

/* ---- the log ------------------------------------------------------------------------------ */

static size_t longest_line;

static void measure_line(int level, const char *line, size_t length, void *userData)
{
    (void)level;
    (void)line;
    (void)userData;
    if (length > longest_line)
        longest_line = length;
}

static void a_line_of_the_log_is_bounded_whatever_was_passed(void)
{
    void *ctx;

    if (world.closed == NULL)
        make_world();
    ctx = open_attempted(NULL, NULL);
    EXPECT_NUMBER(SdsSetLogHandler(measure_line, -4, NULL), SDS_OK);
    EXPECT_NUMBER(SdsEnsureChannel(ctx, world.mebibyte, NULL), SDS_ERR_INVALID_ARGUMENT);
    EXPECT_NUMBER(SdsSetLogHandler(NULL, 0, NULL), SDS_OK);
    EXPECT(longest_line > 0);
    EXPECT(longest_line < 64 << 10);
    EXPECT_NUMBER(SdsClose(ctx), SDS_OK);
}

/* ---- the program ------------------------------------------------------------------------ */

static const char *rule_name(const char *title)
{
    static char name[128];
    size_t length = 0;

    for (; *title != '\0' && length + 1 < sizeof name; title++)
        if (*title != ',')
            name[length++] = *title == ' ' ? '_' : *title;
    name[length] = '\0';
    return name;
}

static void every_expectation_is_of_a_cell(void)
{
    int i;

    for (i = 0; i < EXPECTED; i++)
        if (!EXPECT(is_used[i]))
            printf("    %s of %s\n", expected[i].misuse, expected[i].functions);
}

static int list_functions(void)
{
    int i;

    for (i = 0; i < FUNCTIONS; i++)
        puts(functions[i].name);
    return 0;
}

static int write_table(const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        perror(path);
        return 1;
    }
    write_matrix(file, &matrix);
    return fclose(file) != 0;
}

int main(int argc, char **argv)
{
    const char *table = argc > 2 && strcmp(argv[1], "--table") == 0 ? argv[2] : NULL;

    if (argc > 1 && strcmp(argv[1], "--functions") == 0)
        return list_functions();
    expect_begin(table != NULL ? 1 : argc, argv);
    for (group = 0; group < GROUPS; group++)
        expect_run(rule_name(groups[group].title), every_function_in_every_misuse_of_the_group);
    RUN(every_function_at_once);
    RUN(a_line_of_the_log_is_bounded_whatever_was_passed);
    if (expectations.filter == NULL)
        RUN(every_expectation_is_of_a_cell);
    end_world();
    /* What is not as it should be is no table to keep. */
    if (expectations.failed_rules > 0 || table == NULL)
        return expect_end();
    return write_table(table);
}
