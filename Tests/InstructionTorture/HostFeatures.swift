// SPDX-License-Identifier: GPL-2.0-or-later

import CNativeExecutor

/// Which of the features that the tables name the host's CPU has, by CPUID (SDM volume 2, CPUID; AMD's volume 3,
/// appendix E for leaf 8000_0001H).
public enum HostFeatures {
  public static let all: Set<String> = {
    let (eax, ebx, ecx, edx) = (UInt32(0), UInt32(1), UInt32(2), UInt32(3))
    _ = eax
    let bits: [(String, UInt32, UInt32, UInt32)] = [
      ("cx8", 1, edx, 8), ("mmx", 1, edx, 23), ("fxsr", 1, edx, 24), ("sse", 1, edx, 25),
      ("sse2", 1, edx, 26),
      ("sse3", 1, ecx, 0), ("pclmul", 1, ecx, 1), ("ssse3", 1, ecx, 9), ("cx16", 1, ecx, 13),
      ("sse4.1", 1, ecx, 19), ("sse4.2", 1, ecx, 20), ("movbe", 1, ecx, 22), ("popcnt", 1, ecx, 23),
      ("aes", 1, ecx, 25), ("bmi1", 7, ebx, 3), ("bmi2", 7, ebx, 8), ("adx", 7, ebx, 19), ("sha", 7, ebx, 29),
      ("lzcnt", 0x8000_0001, ecx, 5), ("prefetchw", 0x8000_0001, ecx, 8),
    ]
    return Set(bits.filter { native_cpuid($0.1, 0, $0.2) >> $0.3 & 1 != 0 }.map(\.0))
  }()
}
