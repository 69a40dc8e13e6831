//! `[memory]`: shares that go with one another.

use super::*;

/// Bounds of shares that have to be in order with others: those go with them.
#[test]
fn the_annotated_file_names_the_bounds_of_shares() {
    for (key, least, most, others) in [
        ("upper", 30, 95, "lower = 10\nemergency = 100"),
        ("lower", 10, 90, "upper = 95\nemergency = 100"),
        ("emergency", 40, 100, "lower = 10\nupper = 30"),
        ("drop_warn", 1, 50, "drop_error = 90"),
        ("drop_error", 2, 90, "drop_warn = 1"),
    ] {
        for (value, sound) in [
            (least - 1, false),
            (least, true),
            (most, true),
            (most + 1, false),
        ] {
            let loaded = load_text(&format!("[memory]\n{others}\n{key} = {value}"));
            assert_eq!(loaded.is_ok(), sound, "{key} = {value}: {loaded:?}");
        }
        let unbroken = ANNOTATED.replace("\n# ", " ");
        let range = format!("{least} to {most}");
        assert!(unbroken.contains(&range), "{key}: {range}");
    }
}

#[test]
fn shares_that_are_not_in_order_are_refused() {
    for (text, problem) in [
        (
            "lower = 80",
            "memory.lower: 80 % is no less than memory.upper, 80 %",
        ),
        (
            "upper = 95",
            "memory.upper: 95 % is no less than memory.emergency, 95 %",
        ),
        (
            "drop_error = 4",
            "memory.drop_warn: 5 % is no less than memory.drop_error, 4 %",
        ),
    ] {
        let found = load_text(&format!("[memory]\n{text}")).unwrap_err();
        assert!(found.ends_with(problem), "{found}");
    }
}
