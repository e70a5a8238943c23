import CSimdJSON
internal import Wire

// JSON is read in two steps. simdjson's first stage (SIMD, about 17 GB/s, UTF-8 checked) finds
// where the tokens are; a reader then walks that index and touches only the bytes it wants:
//
//     {"id":"evt_1","cost_usd":0.5}
//     ^^   ^^      ^^         ^^  ^      offsets in the index: structural characters,
//                                        opening quotes, first bytes of other scalars
//
// The literal of a number is thus at hand, so that an amount never becomes a Double.
//
// "Parsing Gigabytes of JSON per Second", Langdale and Lemire, VLDB Journal 28(6), 2019.

/// What the first stage found wrong with the whole text.
public enum JSONTextFault: Error, Equatable, Sendable {
    case empty
    case notUTF8
    case unclosedString
    case controlCharacter
    case outOfMemory

    public var description: String {
        switch self {
        case .empty: "no JSON value"
        case .notUTF8: "not UTF-8"
        case .unclosedString: "a string is not closed"
        case .controlCharacter: "a control character inside a string; write it as \\u00.."
        case .outOfMemory: "out of memory"
        }
    }
}

/// A simdjson parser and its index. One per thread that reads JSON.
@safe
public struct JSONIndexer: ~Copyable {
    /// Bytes past the text that the SIMD code may read; `pad` appends them.
    public static let padding = 64
    private static let blanks: StaticString =
        "                                                                "
    /// Index memory kept between texts is for this many bytes (four index bytes each).
    private static let keptBytes = 2 * 1024 * 1024

    private let indexer: OpaquePointer

    public init() {
        guard let created = unsafe costgauge_json_indexer_create() else {
            preconditionFailure("BUG: out of memory for a JSON parser")
        }
        unsafe indexer = created
    }

    deinit { unsafe costgauge_json_indexer_destroy(indexer) }

    /// Makes `bytes` readable for `padding` bytes past its end by appending blanks.
    /// The text that counts is what stood before; its length goes to `read`.
    public static func pad(_ bytes: inout [UInt8]) {
        bytes.append(blanks)
    }

    /// Lends a document over `bytes[range]` to `body`. `bytes` reaches at least `padding` past the
    /// range's end. The document is valid within `body` only.
    @inlinable
    public mutating func read<Result>(
        _ bytes: Span<UInt8>, _ range: Range<Int>,
        _ body: (borrowing JSONDocument) -> Result
    ) throws(JSONTextFault) -> Result {
        var result: Result?
        try lend(bytes, range) { document in result = body(document) }
        guard let result else { preconditionFailure("BUG: a JSON document without outcome") }
        return result
    }

    @usableFromInline
    mutating func lend(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ body: (borrowing JSONDocument) -> Void
    ) throws(JSONTextFault) {
        precondition(
            range.lowerBound >= 0 && range.upperBound + Self.padding <= bytes.count,
            "BUG: JSON text \(range) without its padding in \(bytes.count) bytes")
        var fault: JSONTextFault?
        unsafe bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else {
                fault = .empty
                return
            }
            let start = unsafe base + range.lowerBound
            var indexes: UnsafePointer<UInt32>?
            var count = 0
            let code = unsafe costgauge_json_index(indexer, start, range.count, &indexes, &count)
            guard code == 0, let tokens = unsafe indexes else {
                fault = Self.fault(code)
                return
            }
            unsafe body(
                JSONDocument(bytes: start, length: range.count, tokens: tokens, tokenCount: count))
        }
        unsafe costgauge_json_indexer_shrink(indexer, Self.keptBytes)
        if let fault { throw fault }
    }

    private static func fault(_ code: Int32) -> JSONTextFault {
        switch UInt32(code) {
        case costgauge_json_empty.rawValue: .empty
        case costgauge_json_utf8.rawValue: .notUTF8
        case costgauge_json_unclosed_string.rawValue: .unclosedString
        case costgauge_json_control_character.rawValue: .controlCharacter
        default: .outOfMemory
        }
    }
}
