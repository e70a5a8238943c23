/// Numbers the lines of a body. Newlines are counted lazily and once: only rejections need lines,
/// and they come in the order of the body.
struct LineCounter {
    private var countedTo = 0
    private var line = 1

    /// The line of a byte, from 1.
    mutating func number(at offset: Int, in body: Span<UInt8>) -> Int {
        if offset < countedTo {
            countedTo = 0
            line = 1
        }
        while countedTo < min(offset, body.count) {
            if body[countedTo] == UInt8(ascii: "\n") { line += 1 }
            countedTo += 1
        }
        return line
    }
}
