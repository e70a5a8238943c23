/// Labels of many rows, end to end: those of row n are the bytes from `starts[n]` to
/// `starts[n + 1]`.
struct LabelText {
    private(set) var bytes: [UInt8] = []
    private(set) var starts = [0]

    var count: Int { starts.count - 1 }

    subscript(row: Int) -> ArraySlice<UInt8> { bytes[starts[row]..<starts[row + 1]] }

    func bytes(of rows: Range<Int>) -> Int { starts[rows.upperBound] - starts[rows.lowerBound] }

    /// A row more.
    mutating func append(_ labels: [UInt8]) {
        bytes += labels
        starts.append(bytes.count)
    }

    /// Rows more, as `bytes` behind the present ones; `ends` are counted from there.
    mutating func append(_ more: [UInt8], ends: [Int]) {
        let start = bytes.count
        bytes += more
        for end in ends { starts.append(start + end) }
    }
}
