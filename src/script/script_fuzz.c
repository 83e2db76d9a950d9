/* Any octets as a message, before a script that looks at it from all sides: no message may make it fail. */
#include "script/script.h"
#include "wire/fuzz.h"
#include "wire/head.h"

static str head, body;

static err fuzz_head(void *subject, struct buf *out)
{
    (void)subject;
    buf_add(out, head);
    return head.n ? OK : E_NOT_FOUND;
}

static err fuzz_body(void *subject, size_t most, struct buf *out)
{
    (void)subject;
    buf_add(out, str_sub(body, 0, most));
    return OK;
}

static err fuzz_edit(void *subject, const struct script_edit *e)
{
    (void)subject;
    MUST(e->name.n <= HEAD_NAME_MAX);
    return OK;
}

static const char source[] = "function on.end_of_message()\n"
                             "  if not pcall(message.headers) then return end\n"
                             "  for _, f in ipairs(message.headers()) do\n"
                             "    assert(#message.headers(f.name) > 0 and message.header(f.name))\n"
                             "    f.value:match('^%s*(.-)%s*$')\n"
                             "    for w in f.value:gmatch('[^,]+') do w:gsub('%%(%x%x)', '%1') end\n"
                             "    pcall(message.add_header, f.name, f.value)\n"
                             "    pcall(message.change_header, f.name, f.value:upper(), 1)\n"
                             "    pcall(string.find, f.value, f.value)\n"
                             "  end\n"
                             "  local text = message.body()\n"
                             "  pcall(string.gsub, text, text:sub(1, 20), text:sub(21, 30))\n"
                             "  utf8.len(text)\n"
                             "  if text:find('x', 1, true) then refuse(text) end\n"
                             "end\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct script *s;
    static const struct script_world world = {.head = fuzz_head, .body = fuzz_body, .edit = fuzz_edit};
    if (!s) {
        const struct script_file f = {S("fuzz.lua"), S("")};
        struct script_file files[] = {f};
        struct script_options o;
        files[0].text = (str){source, sizeof source - 1};
        script_options_init(&o);
        o.files = files;
        o.nfiles = 1;
        o.run_time = 60 * RT_S;
        o.failures = 0;
        rt_log_setup(LOG_ERROR, false, 2);
        MUST(script_new(&s, &o, NULL) == OK);
    }
    str all = {(const char *)data, size < 4096 ? size : 4096};
    head = str_sub(all, 0, head_len(all, NULL));
    body = str_skip(all, head.n);
    struct arena mem;
    struct script_verdict v;
    char text[700];
    struct buf why;
    arena_init(&mem, 1024, 65536);
    buf_init_fixed(&why, text, sizeof text);
    const struct script_request q = {.world = &world, .hook = SCRIPT_ON_end_of_message, .mem = &mem};
    err e = script_call(s, &q, &v, &why);
    if (e != OK && e != E_LIMIT && e != E_NOMEM) {
        fprintf(stderr, "%.*s\n", (int)why.n, text);
        MUST(e == OK);
    }
    arena_free(&mem);
    return 0;
}
