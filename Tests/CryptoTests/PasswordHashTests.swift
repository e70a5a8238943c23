import Testing

@testable import Crypto

/// Vectors of crypt_blowfish, https://www.openwall.com/crypt/
@Suite struct PasswordHashTests {
    @Test(arguments: [
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
        ("U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
        ("", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
    ])
    func `a password matches its hash and no other`(_ password: String, _ hash: String) {
        #expect(PasswordHash.cost(hash) == 5)
        #expect(PasswordHash.matches(Array(password.utf8), hash))
        #expect(PasswordHash.matches(Array(password.utf8), hash.replacing("$2a$", with: "$2y$")))
        #expect(!PasswordHash.matches(Array((password + "!").utf8), hash))
        #expect(!PasswordHash.matches(Array(password.utf8) + [0], hash))
    }

    @Test func `what is no bcrypt hash has no cost and matches nothing`() {
        let rest = String(repeating: "a", count: 53)
        for (hash, cost) in [
            ("", nil), ("$2y$10$" + rest, 10), ("$2x$10$" + rest, nil), ("$2y$03$" + rest, nil),
            ("$2y$32$" + rest, nil), ("$2y$10$" + rest + "a", nil),
            ("$2y$10$" + rest.dropLast() + ":", nil), ("$6$abc$" + rest, nil), ("*0", nil),
        ] as [(String, Int?)] {
            #expect(PasswordHash.cost(hash) == cost, "\(hash)")
            #expect(!PasswordHash.matches(Array("x".utf8), hash), "\(hash)")
        }
    }
}
