internal import Wire

/// Rows of integers, each with its labels.
struct SampleRows {
    /// Those of later rows may follow: scrapes share them.
    let labels: LabelText
    /// Row by row, `width` each.
    let values: [Int64]
    let width: Int
    /// Which value of a row tells by its bits what the row shows.
    let shown: Int
    /// Unix nanoseconds at which each row began; empty: nobody asks.
    let created: [Int64]

    var count: Int { values.count / width }
}

/// A sample that many rows of a table have.
struct SampleColumn {
    /// Bit n: value n of a row is a part of the sample, if the row shows it.
    let values: Int64
    /// A label of its own, `kind="input"`, or empty.
    let extra: [UInt8]
    /// Nano-dollars, not a count.
    let isAmount: Bool
}

/// What stands around the labels of each row, for all columns end to end:
///
///     name{ | ,kind="input"}_ | name{kind="input"}_ | name{ | ,kind="output"}_ | ...
///
/// The third part takes the place of the other two when a row has no labels.
private struct SampleFrames {
    private(set) var bytes: [UInt8] = []
    private(set) var ends = [0]

    init(_ name: [UInt8], _ columns: [SampleColumn]) {
        for extra in columns.map(\.extra) {
            let open = name + Array("{".utf8)
            add(open)
            add((extra.isEmpty ? [] : Array(",".utf8)) + extra + Array("} ".utf8))
            add(extra.isEmpty ? name + Array(" ".utf8) : open + extra + Array("} ".utf8))
        }
    }

    private mutating func add(_ part: [UInt8]) {
        bytes += part
        ends.append(bytes.count)
    }
}

extension PageWriter {
    /// Rows written with one look at the room that the page has.
    private static let rowsPerStep = 64

    /// The samples of the family begun, for every row: nearly the whole page comes from here.
    mutating func samples(_ rows: SampleRows, _ columns: [SampleColumn]) {
        let frames = SampleFrames(sampleName, columns)
        let created =
            writesCreated && !rows.created.isEmpty ? SampleFrames(createdName, columns) : nil
        // A value has up to 21 bytes, and the line an end.
        var lineMax = frames.bytes.count + 22 * columns.count
        if let created { lineMax += created.bytes.count + 22 * columns.count }
        let labelCopies = columns.count * (created == nil ? 1 : 2)
        var first = 0
        while first < rows.count {
            let step = first..<min(first + Self.rowsPerStep, rows.count)
            let most = lineMax * step.count + labelCopies * rows.labels.bytes(of: step)
            bytes.append(atMost: most) { text in
                Self.write(step, of: rows, columns, frames, created, to: &text)
            }
            first = step.upperBound
        }
    }

    private static func write(
        _ step: Range<Int>, of rows: SampleRows, _ columns: [SampleColumn], _ frames: SampleFrames,
        _ created: SampleFrames?, to text: inout TextBuffer
    ) {
        let (values, columns) = (rows.values.span, columns.span)
        let (frameBytes, frameEnds) = (frames.bytes.span, frames.ends.span)
        let (labelBytes, labelStarts) = (rows.labels.bytes.span, rows.labels.starts.span)
        var wanted: Int64 = 0
        for column in columns.indices { wanted |= columns[column].values }
        for row in step {
            let start = row &* rows.width
            let isShown = values[start &+ rows.shown]
            // What no column has shown yet: most rows show few of many columns.
            var rest = isShown & wanted
            if rest == 0 { continue }
            let labels = labelBytes.extracting(labelStarts[row]..<labelStarts[row &+ 1])
            // Where in a column's frame what is before the labels begins, and what is behind them:
            // without labels its third part and nothing.
            let (open, close) = labels.isEmpty ? (2, 2) : (0, 1)
            for column in columns.indices {
                if rest == 0 { break }
                var parts = columns[column].values & isShown
                guard parts != 0 else { continue }
                rest &= ~parts
                var value: Int64 = 0
                while parts != 0 {
                    value += values[start &+ parts.trailingZeroBitCount]
                    parts &= parts &- 1
                }
                let frame = column &* 3
                let opening = frameBytes.extracting(
                    frameEnds[frame &+ open]..<frameEnds[frame &+ open &+ 1])
                let closing = frameBytes.extracting(
                    frameEnds[frame &+ close]..<frameEnds[frame &+ 2])
                if columns[column].isAmount {
                    text.appendLine(opening, labels, closing, nanos: value)
                } else {
                    text.appendLine(opening, labels, closing, decimal: value)
                }
                guard let created else { continue }
                text.append(created, column, labels)
                text.append(seconds: rows.created[row])
                text.append(UInt8(ascii: "\n"))
            }
        }
    }
}

extension TextBuffer {
    fileprivate mutating func append(
        _ frames: borrowing SampleFrames, _ column: Int, _ labels: Span<UInt8>
    ) {
        let (bytes, ends) = (frames.bytes.span, frames.ends.span)
        let part = column &* 3
        if labels.isEmpty {
            append(bytes.extracting(ends[part &+ 2]..<ends[part &+ 3]))
            return
        }
        append(bytes.extracting(ends[part]..<ends[part &+ 1]))
        append(labels)
        append(bytes.extracting(ends[part &+ 1]..<ends[part &+ 2]))
    }

    /// A time in nanoseconds; a whole second keeps a digit behind its point.
    fileprivate mutating func append(seconds nanos: Int64) {
        append(nanos: nanos)
        guard nanos % 1_000_000_000 == 0 else { return }
        append(UInt8(ascii: "."))
        append(UInt8(ascii: "0"))
    }
}
