/* The rows of fault.def and the replies that come of them. */
#include "wire/fault.h"

static const struct {
    const char *name, *esc, *text;
    int code;
} rows[FAULT_COUNT] = {
    {"NONE", "2.0.0", "ok", 250},
#define FAULT(name, code, esc, text) {#name, esc, text, code},
#include "wire/fault.def"
#undef FAULT
};

static enum fault in_table(enum fault f) { return (unsigned)f < FAULT_COUNT ? f : FAULT_SYNTAX; }

const char *fault_name(enum fault f) { return rows[in_table(f)].name; }
const char *fault_text(enum fault f) { return rows[in_table(f)].text; }

void fault_reply(struct reply *r, enum fault f, bool sender)
{
    f = in_table(f);
    const char *esc = rows[f].esc;
    if (sender && str_eq(str_c(esc), S("5.1.3")))
        esc = "5.1.7";
    reply_set_str(r, rows[f].code, esc, str_c(rows[f].text));
}
