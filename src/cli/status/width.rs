//! Text that fits: columns of a terminal, not letters, and nothing in it that steers one.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Stands where something was cut off.
const CUT: char = '~';

/// Without anything that could steer a terminal: strangers chose it.
pub(super) fn tame(text: &str) -> String {
    text.chars()
        .flat_map(|letter| {
            let harmless = matches!(letter, '"' | '\'' | '\\');
            let escaped = (!harmless).then(|| letter.escape_debug());
            let plain = harmless.then_some(letter);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// In exactly so many columns: cut off, or filled up.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let mut fitted = cut(text, columns);
    let missing = columns.saturating_sub(fitted.width());
    fitted.extend(std::iter::repeat_n(' ', missing));
    fitted
}

/// In so many columns at most.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut taken = String::new();
    let mut used = 0;
    for letter in text.chars() {
        let wide = letter.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        taken.push(letter);
    }
    taken.push(CUT);
    taken
}

/// Words on lines of so many columns; a longer word is cut off.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let more = usize::from(!line.is_empty());
        if line.width() + more + word.width() > columns && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&cut(word, columns));
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wide_letters_count_twice() {
        assert_eq!(fit("ann", 5), "ann  ");
        assert_eq!(fit("annabelle", 5), "anna~");
        assert_eq!(fit("会議室の名前", 7), "会議室~");
        assert_eq!(fit("会議室の名前", 6), "会議~ ");
        assert_eq!(fit("e\u{301}te\u{301}", 4), "e\u{301}te\u{301} ");
    }

    #[test]
    fn what_steers_a_terminal_is_shown() {
        assert_eq!(tame("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(tame("\u{202e}abc\u{9b}"), "\\u{202e}abc\\u{9b}");
        assert_eq!(tame("it's \"ann\" 会"), "it's \"ann\" 会");
    }

    #[test]
    fn words_stay_whole_where_they_can() {
        let lines = wrap("can't reach a server at ws://127.0.0.1:7880", 16);
        assert_eq!(lines, ["can't reach a", "server at", "ws://127.0.0.1:~"]);
        assert_eq!(wrap("  ", 16), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_place(text in "\\PC*", columns in 1_usize..90) {
            prop_assert_eq!(fit(&text, columns).width(), columns);
            for line in wrap(&text, columns) {
                prop_assert!(line.width() <= columns, "{}", line);
            }
        }
    }
}
