/// How far a tailed file has been read: all that is needed to go on there after a restart, and to
/// see that the file is another one by then.
public struct SourcePosition: Equatable, Sendable {
    public var path: String
    public var device: UInt64
    public var inode: UInt64
    /// Counts how often the content behind this device and inode was replaced.
    public var generation: Int64
    /// FNV-1a of the first `headBytes` bytes.
    public var headHash: UInt64
    public var headBytes: Int
    /// Every byte before it is counted or rejected.
    public var offset: Int64

    public init(
        path: String, device: UInt64, inode: UInt64, generation: Int64, headHash: UInt64,
        headBytes: Int, offset: Int64
    ) {
        self.path = path
        self.device = device
        self.inode = inode
        self.generation = generation
        self.headHash = headHash
        self.headBytes = headBytes
        self.offset = offset
    }
}
