//! Lays out a table for people: as many columns as have something to show.

/// Returns the rows under their headings. A column in which no row has anything is left out.
pub(super) fn text<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<_> = headings
        .iter()
        .enumerate()
        .filter_map(|(column, heading)| match width(column) {
            0 => None,
            width => Some((column, width.max(heading.len()))),
        })
        .collect();
    let headings = headings.map(str::to_owned);
    let mut text = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let cells = widths
            .iter()
            .map(|&(column, width)| match row[column].as_str() {
                "" => format!("{:width$}", "-"),
                cell => format!("{cell:width$}"),
            });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}
