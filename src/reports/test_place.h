/* For tests of reports: a data folder with reports.db, and a configuration. */
#ifndef REPORTS_TEST_PLACE_H
#define REPORTS_TEST_PLACE_H
#include "base/test.h"
#include "conf/test_conf.h"

#include "reports/internal.h"

#include <fcntl.h>
#include <unistd.h>

static struct place {
    char path[64];
    int dir;
    struct conf *conf;
} place;

static struct conf *place_conf(void) { return conf_ref(place.conf); }

static void place_configure(const char *report)
{
    AUTO_BUF text = {.max = 4096};
    conf_drop(&place.conf);
    buf_printf(&text,
               "hostname = \"mx.example.test\"\ndata-dir = \"d\"\nlistener mx { address = \"127.0.0.1:2525\" }\n"
               "domain example.test { deliver = \"maildir\" }\nreport { %s }\n",
               report);
    place.conf = test_conf("/tmp", buf_str(&text));
}

static void place_open(void)
{
    AUTO_BUF why = {.max = 1000};
    const struct reports rooms = {.conf = place_conf};
    assert_int_equal(reports_open(place.dir, &rooms, &why), OK);
}

static void place_begin(const char *report)
{
    snprintf(place.path, sizeof place.path, "/tmp/reports-test-XXXXXX");
    assert_non_null(mkdtemp(place.path));
    place.dir = open(place.path, O_RDONLY | O_DIRECTORY);
    assert_true(place.dir >= 0);
    place_configure(report);
    place_open();
}

static void place_end(void)
{
    reports_close();
    unlinkat(place.dir, "reports.db", 0);
    unlinkat(place.dir, "reports.db-journal", 0);
    close(place.dir);
    rmdir(place.path);
    conf_drop(&place.conf);
}

#endif
