/// How delivery stands, by receiver.
public struct DeliveryReadings: Equatable, Sendable {
    public struct Receiver: Equatable, Sendable {
        public var name: String
        public var delivered = 0
        /// Attempts that will be repeated.
        public var failed = 0
        /// Given up since the start of the process.
        public var dead = 0
        public var waiting = 0
        /// Unix nanoseconds.
        public var oldest: Int64?
        /// Dead letters in the store.
        public var deadLetters: Int64 = 0

        public init(name: String) { self.name = name }
    }

    public struct Heartbeat: Equatable, Sendable {
        public var sent = 0
        public var failed = 0

        public init() {}
    }

    public var receivers: [Receiver] = []
    /// Nil: none is configured.
    public var heartbeat: Heartbeat?

    public init() {}
}
