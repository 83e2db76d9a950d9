/* Scripts in the pipeline: the filter `script`, and the generation of the script that new sessions get. */
#ifndef POLICY_USE_SCRIPT_H
#define POLICY_USE_SCRIPT_H
#include "policy/rules.h"
#include "script/script.h"

/* On loop 0, at the start before any session and at every reload: makes the configuration's script the one of new
 * sessions. One that cannot be loaded is logged with file and line, and the one before it stays; at the start there is
 * none, and mail fails (lua { fail }) rather than being taken without being judged. */
void use_script_follow(const struct conf *c);
bool use_script_ready(void); /* there is a script that could be loaded */

unsigned use_script_wants(const struct source *s, const struct conf *c);
bool use_script_run(struct policy *p, void **own, enum phase ph, struct matter *m, struct verdict *v) YIELDS;
void use_script_tx_end(struct policy *p, void **own);
void use_script_session_end(struct policy *p, void **own);

act_fn act_script; /* `run script FUNCTION` of a rule */

/* A subject for hooks: what `script_world` of the pipeline works on. */
struct script_subject {
    struct policy *policy;
    struct matter *matter;
    str head; /* the header block, in the phases that have it whole */
};
extern const struct script_world use_script_world;
void use_script_options(const struct conf *c, struct script_options *o); /* budgets; no files */

#endif
