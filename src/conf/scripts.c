/*
 * The script and the files of its folder. What Lua is, conf does not know: whoever does says whether a file can be read
 * (conf_script_checker); nothing of it runs here.
 */
#include "conf/internal.h"

static conf_script_check *checker;

void conf_script_checker(conf_script_check *fn) { checker = fn; }

static str base_name(str path)
{
    size_t slash = str_rfind(path, '/');
    return slash == STR_NONE ? path : str_skip(path, slash + 1);
}

/* Directly in the folder. */
static bool in_folder(str folder, str path)
{
    size_t slash = str_rfind(path, '/');
    while (folder.n > 1 && str_ends(folder, S("/")))
        folder.n--;
    return folder.n && slash != STR_NONE && str_eq(str_sub(path, 0, slash), folder) && str_ends(path, S(".lua"));
}

static void check_one(struct load *l, const struct conf_file *f)
{
    struct buf why;
    char text[300] = "";
    int line = 0;
    str main = l->e.path;
    buf_init_fixed(&why, text, sizeof text - 1);
    l->e.path = arena_str(&l->e.out->arena, f->path);
    if (f->e)
        fail(&l->e, 0, "cannot read the file: %s", err_text(f->e));
    else if (checker && checker(base_name(f->path), f->text, &line, &why))
        fail(&l->e, line, "expected Lua: %.*s", (int)why.n, text);
    l->e.path = main;
}

static void add(struct load *l, const struct conf_file *f)
{
    struct conf *c = l->c;
    check_one(l, f);
    c->scripts[c->nscripts].name = arena_str(&c->arena, base_name(f->path));
    c->scripts[c->nscripts++].text = arena_str(&c->arena, f->text);
}

void scripts_read(struct load *l)
{
    const struct conf_bundle *b = l->b;
    struct conf *c = l->c;
    c->scripts = arena_array(&c->arena, b->n, sizeof *c->scripts);
    if (!c->scripts)
        return;
    for (size_t i = 1; i < b->n && c->script.n; i++)
        if (str_eq(b->v[i].path, c->script) && !b->v[i].e) /* otherwise its key has told */
            add(l, &b->v[i]);
    for (size_t i = 1; i < b->n && c->nscripts; i++)
        if (in_folder(c->lua_folder, b->v[i].path) && !str_eq(b->v[i].path, c->script))
            add(l, &b->v[i]);
}
