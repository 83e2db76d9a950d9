/*
 * Builds a manual page from its template: a line `@KEYS@` becomes the table of configuration keys,
 * `@EVENTS@` and `@METRICS@` those of the log and the metrics, `@COMMANDS@` that of SMTP, `@HOOKS@` and `@FIELDS@`
 * those of scripts.
 */
#include "base/cleanup.h"
#include "conf/conf.h"
#include "recv/recv.h"
#include "rt/rt.h"

#include <fcntl.h>
#include <stdio.h>

static void text(struct buf *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '\\')
            buf_add_c(out, "\\e");
        else
            buf_add_char(out, *s);
    }
}

static void event(struct buf *out, const char *name, const char *level, const char *fields, const char *help)
{
    buf_printf(out, ".It Ic %s Pq %s\n", name, level);
    text(out, help);
    if (fields[0]) {
        buf_add_c(out, ";\nfields: ");
        text(out, fields);
    }
    buf_add_c(out, ".\n");
}

static void events(struct buf *out)
{
    buf_add_c(out, ".Bl -tag -width Ds\n");
#define EVENT(name, level, fields, help) event(out, #name, #level, fields, help);
#include "rt/events.def"
#undef EVENT
    buf_add_c(out, ".El\n");
}

static void metrics(struct buf *out)
{
    buf_add_c(out, ".Bl -tag -width Ds\n");
#define METRIC(name, kind, help) buf_printf(out, ".It Ic postrider_%s Pq %s\n%s.\n", #name, #kind, help);
#include "rt/metrics.def"
#undef METRIC
    buf_add_c(out, ".El\n");
}

static void hooks(struct buf *out)
{
    buf_add_c(out, ".Bl -tag -width Ds\n");
#define HOOK(name, help) buf_printf(out, ".It Ic on.%s\n%s.\n", #name, help);
#include "script/hooks.def"
#undef HOOK
    buf_add_c(out, ".El\n");
}

static void field(struct buf *out, const char *object, const char *name, const char *type, const char *help)
{
    static const char *const types[][2] = {{"STR", "string"}, {"NUM", "number"}, {"BOOL", "boolean"}, {"LIST", "list"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i][0]) == 0)
            buf_printf(out, ".It Ic %s.%s Pq %s\n", object, name, types[i][1]);
    text(out, help);
    buf_add_c(out, ".\n");
}

static void fields(struct buf *out)
{
    buf_add_c(out, ".Bl -tag -width Ds\n");
#define FIELD(object, name, type, help) field(out, #object, #name, #type, help);
#include "script/fields.def"
#undef FIELD
    buf_add_c(out, ".El\n");
}

static const struct {
    str mark;
    void (*write)(struct buf *out);
} parts[] = {
    {S_INIT("@KEYS@"), conf_manual},     {S_INIT("@EVENTS@"), events}, {S_INIT("@METRICS@"), metrics},
    {S_INIT("@COMMANDS@"), recv_manual}, {S_INIT("@HOOKS@"), hooks},   {S_INIT("@FIELDS@"), fields},
};

static void line(struct buf *out, str s)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (str_eq(str_trim(s), parts[i].mark)) {
            parts[i].write(out);
            return;
        }
    buf_add(out, s);
    buf_add_char(out, '\n');
}

int main(int argc, char **argv)
{
    AUTO_BUF page;
    AUTO_BUF in;
    buf_init(&page, 16 << 20);
    buf_init(&in, 1 << 20);
    FILE *f = argc == 2 ? fopen(argv[1], "re") : NULL;
    if (!f) {
        fprintf(stderr, "usage: manual TEMPLATE\n");
        return 64;
    }
    for (int c; (c = getc(f)) != EOF;)
        buf_add_char(&in, (char)c);
    fclose(f);
    str rest = buf_str(&in), one;
    while (rest.n && str_cut(&rest, '\n', &one))
        line(&page, one);
    return page.e || in.e || fwrite(page.p, 1, page.n, stdout) != page.n || fflush(stdout);
}
