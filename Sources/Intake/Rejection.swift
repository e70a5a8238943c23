internal import JSON

/// Why an event was not taken; the values of the `reason` label, a closed list.
public enum RejectReason: String, CaseIterable, Sendable {
    case malformed, missing, wrongType = "wrong_type", outOfRange = "out_of_range"
    case tooLong = "too_long", unknownValue = "unknown_value", inconsistent, repeated
    case future = "future_timestamp", tooMany = "too_many"
    case foreignTenant = "foreign_tenant"
    /// No price is known, and the configuration asks to refuse such events.
    case unpriced
}

/// One event or line that was not taken.
public struct Rejection: Equatable, Sendable {
    /// From 1, in the body.
    public let line: Int
    /// Position among the events of the body, from 0.
    public let index: Int
    /// Empty when the text itself is broken.
    public let field: String
    public let reason: RejectReason
    public let message: String
    /// Bytes from the start of the body, for broken text.
    public let offset: Int?

    public init(
        line: Int, index: Int, field: String, reason: RejectReason, message: String, offset: Int?
    ) {
        self.line = line
        self.index = index
        self.field = field
        self.reason = reason
        self.message = message
        self.offset = offset
    }
}

/// What stops the decoding of one event.
enum EventFault: Error {
    /// Not JSON: nobody knows where the next event begins.
    case text(JSONFault)
    case field(String, RejectReason, String)

    static func field(_ field: EventField, _ reason: RejectReason, _ message: String) -> EventFault
    {
        .field(field.name, reason, message)
    }
}
