// https://protobuf.dev/programming-guides/encoding/
//
//     message := (tag value)*      tag := varint (field number << 3 | wire type)
//
// A message is read in place: a field of wire type 2 is a range of the bytes, which is read as a
// message in turn only by those who want it. Unknown fields cost their tag and nothing else.

/// Why bytes are no protobuf message.
public enum ProtobufFault: Error, Equatable, Sendable, CustomStringConvertible {
    case truncated(offset: Int)
    case varintTooLong(offset: Int)
    /// Zero, or past 2^29 - 1.
    case fieldNumber(offset: Int)
    /// Groups (3, 4) left the language in 2008; 6 and 7 never existed.
    case wireType(UInt8, offset: Int)
    /// A field of ours that came with a wire type of something else.
    case unexpected(field: Int, offset: Int)
    case tooDeep(offset: Int)

    public var description: String {
        switch self {
        case .truncated(let offset): "byte \(offset): the message ends inside a field"
        case .varintTooLong(let offset): "byte \(offset): a number of more than ten bytes"
        case .fieldNumber(let offset): "byte \(offset): a field number out of range"
        case .wireType(let type, let offset): "byte \(offset): wire type \(type)"
        case .unexpected(let field, let offset): "byte \(offset): field \(field) of another type"
        case .tooDeep(let offset): "byte \(offset): nested too deeply"
        }
    }
}

/// A field as it stands in the bytes.
public struct ProtobufField: BitwiseCopyable, Sendable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        case varint = 0
        case fixed64 = 1
        case bytes = 2
        case fixed32 = 5
    }

    public let number: Int
    public let kind: Kind
    /// Of the numeric kinds.
    public let value: UInt64
    /// Of `bytes`; empty for the others.
    public let start: Int
    public let end: Int

    @inlinable
    init(number: Int, kind: Kind, value: UInt64, start: Int, end: Int) {
        self.number = number
        self.kind = kind
        self.value = value
        self.start = start
        self.end = end
    }

    @inlinable public var range: Range<Int> { start..<end }

    /// The range of an embedded message, text or bytes.
    @inlinable
    public func message() throws(ProtobufFault) -> Range<Int> {
        guard kind == .bytes else { throw .unexpected(field: number, offset: start) }
        return start..<end
    }

    @inlinable
    public func varint() throws(ProtobufFault) -> UInt64 {
        guard kind == .varint else { throw .unexpected(field: number, offset: start) }
        return value
    }

    @inlinable
    public func fixed64() throws(ProtobufFault) -> UInt64 {
        guard kind == .fixed64 else { throw .unexpected(field: number, offset: start) }
        return value
    }

    @inlinable
    public func double() throws(ProtobufFault) -> Double {
        Double(bitPattern: try fixed64())
    }
}

/// Walks the fields of one message.
public struct ProtobufReader: BitwiseCopyable, Sendable {
    @usableFromInline var at: Int
    @usableFromInline let end: Int

    /// `range` lies within the bytes that are given to `next`.
    @inlinable
    public init(_ range: Range<Int>) {
        at = range.lowerBound
        end = range.upperBound
    }

    /// The next field, or nil at the end of the message.
    @inlinable
    public mutating func next(_ bytes: Span<UInt8>) throws(ProtobufFault) -> ProtobufField? {
        guard at < end else { return nil }
        let tagOffset = at
        let tag = try varint(bytes)
        let number = tag >> 3
        guard number > 0, number < 1 << 29 else { throw .fieldNumber(offset: tagOffset) }
        let field = Int(truncatingIfNeeded: number)
        switch tag & 7 {
        case 0:
            let start = at
            let value = try varint(bytes)
            return ProtobufField(number: field, kind: .varint, value: value, start: start, end: at)
        case 1:
            let value = try fixed(bytes, 8)
            return ProtobufField(number: field, kind: .fixed64, value: value, start: at, end: at)
        case 2:
            let length = try varint(bytes)
            guard length <= UInt64(end &- at) else { throw .truncated(offset: tagOffset) }
            let start = at
            at &+= Int(truncatingIfNeeded: length)
            return ProtobufField(number: field, kind: .bytes, value: 0, start: start, end: at)
        case 5:
            let value = try fixed(bytes, 4)
            return ProtobufField(number: field, kind: .fixed32, value: value, start: at, end: at)
        case let type: throw .wireType(UInt8(type), offset: tagOffset)
        }
    }

    /// The next message of a field; all other fields are stepped over. Nil at the end.
    @inlinable
    public mutating func next(
        _ bytes: Span<UInt8>, message number: Int
    ) throws(ProtobufFault) -> Range<Int>? {
        while let field = try next(bytes) {
            if field.number == number { return try field.message() }
        }
        return nil
    }

    /// A bare number: an element of a packed field. Nil at the end.
    @inlinable
    public mutating func nextPackedVarint(
        _ bytes: Span<UInt8>
    ) throws(ProtobufFault) -> UInt64? {
        at < end ? try varint(bytes) : nil
    }

    @inlinable
    public mutating func nextPackedFixed64(
        _ bytes: Span<UInt8>
    ) throws(ProtobufFault) -> UInt64? {
        at < end ? try fixed(bytes, 8) : nil
    }

    @inlinable
    mutating func varint(_ bytes: Span<UInt8>) throws(ProtobufFault) -> UInt64 {
        let start = at
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while at < end {
            let byte = bytes[at]
            at &+= 1
            value |= UInt64(byte & 0x7f) &<< shift
            if byte < 0x80 { return value }
            shift &+= 7
            // The tenth byte carries the 64th bit; what it has beyond is cut off, as others do.
            if shift > 63 { throw .varintTooLong(offset: start) }
        }
        throw .truncated(offset: start)
    }

    @inlinable
    mutating func fixed(_ bytes: Span<UInt8>, _ count: Int) throws(ProtobufFault) -> UInt64 {
        guard end &- at >= count else { throw .truncated(offset: at) }
        var value: UInt64 = 0
        var shift: UInt64 = 0
        for index in at..<at &+ count {
            value |= UInt64(bytes[index]) &<< shift
            shift &+= 8
        }
        at &+= count
        return value
    }
}

/// Numbers that may be negative, in the form that keeps small ones short.
@inlinable
public func zigzagDecoded(_ value: UInt64) -> Int64 {
    Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
}
