import CCrypto

/// bcrypt by crypt(3): https://man7.org/linux/man-pages/man5/crypt.5.html
public enum PasswordHash {
    /// The cost that a hash asks for, as a power of two; nil when it is no bcrypt hash:
    /// `$2y$10$` and 53 signs.
    public static func cost(_ hash: String) -> Int? {
        let bytes = Array(hash.utf8)
        guard bytes.count == 60, bytes[0] == 0x24, bytes[1] == 0x32,
            [0x61, 0x62, 0x79].contains(bytes[2]), bytes[3] == 0x24, bytes[6] == 0x24,
            let cost = Int(String(decoding: bytes[4..<6], as: UTF8.self)), (4...31).contains(cost),
            bytes[7...].allSatisfy(isSign)
        else { return nil }
        return cost
    }

    private static func isSign(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
            || (0x61...0x7a).contains(byte) || byte == 0x2e || byte == 0x2f
    }

    /// Takes some 50 ms for a hash of cost 10, twice as long for each more.
    public static func matches(_ password: [UInt8], _ hash: String) -> Bool {
        guard !password.contains(0) else { return false }
        var data = crypt_data()
        let phrase = (password + [0]).map { CChar(bitPattern: $0) }
        guard let result = unsafe crypt_r(phrase, hash, &data) else { return false }
        let made = Array(unsafe String(cString: result).utf8)
        let wanted = Array(hash.utf8)
        guard made.count == wanted.count else { return false }
        var difference: UInt8 = 0
        for index in made.indices { difference |= made[index] ^ wanted[index] }
        return difference == 0
    }
}
