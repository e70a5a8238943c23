import Gzip

func inflate(_ bytes: [UInt8]) throws -> [UInt8] {
    var output: [UInt8] = []
    try Inflater.inflate(bytes.span, into: &output, limit: 64 << 20)
    return output
}
