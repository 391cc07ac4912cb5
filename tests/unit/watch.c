// SPDX-License-Identifier: MIT
/* An image that others write to: how often it is looked at, and what is believed of it. */
#include "watch.h"
#include "finding.h"

#include "small_image.h"

/* What happens to the image while it is looked at. */
struct scene {
    struct io_memory memory; /* first: it is the io */
    struct small_image small;
    struct format_findings findings;
    struct report_watch watch;
    bool written;            /* by whoever holds it */
    bool is_device;          /* there are no time stamps, */
    bool keeps_still;        /* else they stay the same */
    unsigned comes_in;       /* the attempt in which he comes; 0: never */
    unsigned changes_l1;     /* during so many attempts, */
    unsigned changes_header; /* likewise */
    unsigned finds_damage;   /* so many attempts do */
    unsigned fails;          /* likewise, without a result */
    unsigned gives_away;     /* the attempt after which there must be no other; 0: none */
    unsigned is_whole_at;    /* before that look there is no header; 0: there always is */
    unsigned n_attempts, n_forgotten;
    uint64_t n_stamps;
};

static struct io_users users(struct io *io)
{
    const struct scene *scene = (const struct scene *)(const void *)io;

    return (struct io_users){.known = true, .held = scene->written, .written = scene->written};
}

static struct io_stamp stamp(struct io *io)
{
    struct scene *scene = (struct scene *)(void *)io;

    return (struct io_stamp){.known = !scene->is_device,
                             .seconds = scene->keeps_still ? 1 : scene->n_stamps++};
}

static void forget(void *context)
{
    struct scene *scene = context;

    format_findings_free(&scene->findings);
    scene->n_forgotten++;
    if (scene->is_whole_at > 0)
        scene->small.bytes[0] = scene->n_forgotten < scene->is_whole_at ? 0 : 'Q';
}

static int attempt(void *context, struct format_image *image, struct report_backing *backing,
                   struct err *err)
{
    struct scene *scene = context;
    unsigned number = ++scene->n_attempts;
    unsigned char *bytes = scene->small.bytes;

    (void)image;
    assert_null(backing);
    if (number == scene->comes_in)
        scene->written = true;
    if (number <= scene->changes_l1)
        small_image_l1(&scene->small, 2, 0, 3 + number);
    if (number <= scene->changes_header)
        put_be64(bytes + 88, UINT64_C(1) << (40 + number)); /* an autoclear bit */
    if (number <= scene->finds_damage)
        format_findings_add(&scene->findings, FORMAT_FINDING_L2_PAST_END, "l1[0]", NULL, "damage");
    if (number == scene->gives_away)
        scene->watch.no_more = true;
    return number <= scene->fails ? err_set(err, EIO, "attempt %u fails", number) : 0;
}

static struct io_ops ops;

static void begin(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    small_image_init(&scene->small, 12, 1 << 20, 1, 16);
    small_image_l1(&scene->small, 2, 0, 3);
    scene->memory = io_memory_of(scene->small.bytes, scene->small.len);
    ops = *scene->memory.io.ops;
    ops.users = users;
    ops.stamp = stamp;
    scene->memory.io.ops = &ops;
    scene->watch = (struct report_watch){.io = &scene->memory.io,
                                         .path = "image",
                                         .forget = forget,
                                         .attempt = attempt,
                                         .context = scene,
                                         .findings = &scene->findings};
}

static void end(struct scene *scene)
{
    format_findings_free(&scene->findings);
    free(scene->small.bytes);
}

/* Runs it: so many attempts, with this result. */
static void comes_to(struct scene *scene, unsigned n_attempts, bool changed, bool damaged)
{
    struct err err = {0};

    assert_int_equal(report_watch(&scene->watch, &err), 0);
    assert_int_equal(scene->n_attempts, n_attempts);
    assert_int_equal(scene->n_forgotten, n_attempts);
    assert_int_equal(scene->watch.changed, changed);
    report_watch_tell(&scene->watch, "it was changing", &scene->findings);
    assert_int_equal(format_findings_have_error(&scene->findings), damaged);
    assert_int_equal(scene->findings.per_code[FORMAT_FINDING_IMAGE_CHANGING], changed);
    end(scene);
}

static void a_quiet_image_is_looked_at_once(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    comes_to(&scene, 1, false, false);
}

static void damage_of_a_quiet_image_is_believed_at_once(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.finds_damage = 9;
    comes_to(&scene, 1, false, true);
}

static void an_image_in_use_that_does_not_change_is_looked_at_once(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.written = true;
    comes_to(&scene, 1, false, false);
}

static void a_changed_l1_table_is_looked_at_again(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.written = true;
    scene.changes_l1 = 2;
    comes_to(&scene, 3, false, false);
}

static void a_changed_header_is_looked_at_again_whoever_has_the_image(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.changes_header = 1;
    comes_to(&scene, 2, false, false);
}

static void damage_that_goes_away_was_none(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.written = true;
    scene.finds_damage = 3;
    comes_to(&scene, 4, false, false);
}

static void damage_that_stays_while_nothing_changes_is_believed(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.written = true;
    scene.finds_damage = 9;
    comes_to(&scene, 4, false, true);
}

static void damage_of_an_image_that_changes_to_the_end_is_not(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.written = true;
    scene.finds_damage = scene.changes_l1 = 9;
    comes_to(&scene, 4, true, false);
}

/* Nobody had it when the attempt began, so that its tables were not looked at. */
static void who_comes_meanwhile_may_have_changed_anything(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.comes_in = 1;
    scene.finds_damage = scene.changes_l1 = 1;
    comes_to(&scene, 2, false, false);
}

static void what_was_given_away_is_not_looked_at_again(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.written = true;
    scene.changes_l1 = 9;
    scene.gives_away = 2;
    comes_to(&scene, 2, true, false);
}

static void a_failure_in_use_is_tried_again(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.written = true;
    scene.fails = 3;
    comes_to(&scene, 4, false, false);
}

/* Nobody has come so far as to see whether it was written to: it may have been. */
static void an_image_in_use_that_cannot_be_opened_is_tried_again(void **state)
{
    struct err err = {0};
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.written = true;
    scene.is_whole_at = 3;
    assert_int_equal(report_watch(&scene.watch, &err), 0);
    assert_int_equal(scene.n_forgotten, 3);
    assert_int_equal(scene.n_attempts, 1);
    end(&scene);

    begin(&scene);
    scene.is_whole_at = 2;
    assert_true(report_watch(&scene.watch, &err) < 0);
    assert_int_equal(scene.n_forgotten, 1);
    end(&scene);
}

static void a_failure_that_stays_is_one(void **state)
{
    struct err err = {0};
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.written = true;
    scene.fails = 9;
    assert_int_equal(report_watch(&scene.watch, &err), -EIO);
    assert_int_equal(scene.n_attempts, 4);
    assert_string_equal(err.text, "attempt 4 fails");
    end(&scene);

    begin(&scene);
    scene.fails = 9;
    assert_int_equal(report_watch(&scene.watch, &err), -EIO);
    assert_int_equal(scene.n_attempts, 1);
    assert_string_equal(err.text, "attempt 1 fails");
    end(&scene);
}

static void damage_is_believed_at_once_if_nobody_has_written(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.written = scene.keeps_still = true;
    scene.finds_damage = 9;
    comes_to(&scene, 1, false, true);
}

/* The header, the snapshots and the L1 table were compared. */
static void damage_of_a_device_in_use_is_believed_at_once_if_nothing_changed(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.written = scene.is_device = true;
    scene.finds_damage = 9;
    comes_to(&scene, 1, false, true);
}

static void a_device_that_changes_is_looked_at_again(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.written = scene.is_device = true;
    scene.finds_damage = scene.changes_l1 = 2;
    comes_to(&scene, 3, false, false);
}

static void a_failure_on_a_device_is_tried_again_if_that_changed(void **state)
{
    struct err err = {0};
    struct scene scene;

    (void)state;
    begin(&scene);
    scene.written = scene.is_device = true;
    scene.fails = scene.changes_header = 2;
    comes_to(&scene, 3, false, false);

    begin(&scene);
    scene.written = scene.is_device = true;
    scene.fails = 9;
    assert_int_equal(report_watch(&scene.watch, &err), -EIO);
    assert_int_equal(scene.n_attempts, 1);
    assert_string_equal(err.text, "attempt 1 fails");
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_image_is_looked_at_once),
        cmocka_unit_test(damage_of_a_quiet_image_is_believed_at_once),
        cmocka_unit_test(an_image_in_use_that_does_not_change_is_looked_at_once),
        cmocka_unit_test(a_changed_l1_table_is_looked_at_again),
        cmocka_unit_test(a_changed_header_is_looked_at_again_whoever_has_the_image),
        cmocka_unit_test(damage_that_goes_away_was_none),
        cmocka_unit_test(damage_that_stays_while_nothing_changes_is_believed),
        cmocka_unit_test(damage_of_an_image_that_changes_to_the_end_is_not),
        cmocka_unit_test(who_comes_meanwhile_may_have_changed_anything),
        cmocka_unit_test(what_was_given_away_is_not_looked_at_again),
        cmocka_unit_test(a_failure_in_use_is_tried_again),
        cmocka_unit_test(an_image_in_use_that_cannot_be_opened_is_tried_again),
        cmocka_unit_test(a_failure_that_stays_is_one),
        cmocka_unit_test(damage_is_believed_at_once_if_nobody_has_written),
        cmocka_unit_test(damage_of_a_device_in_use_is_believed_at_once_if_nothing_changed),
        cmocka_unit_test(a_device_that_changes_is_looked_at_again),
        cmocka_unit_test(a_failure_on_a_device_is_tried_again_if_that_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
