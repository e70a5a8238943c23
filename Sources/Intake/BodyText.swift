internal import JSON

/// Where names lie that are not in the batch's own text.
protocol BodyText: ~Copyable {
    func withBytes<Result>(_ range: Range<Int>, _ body: (Span<UInt8>) -> Result) -> Result
}

extension JSONDocument: BodyText {}

/// Of events whose texts are all in the batch.
struct NoBody: BodyText {
    func withBytes<Result>(_ range: Range<Int>, _ body: (Span<UInt8>) -> Result) -> Result {
        preconditionFailure("BUG: the text of a body that does not exist")
    }
}
