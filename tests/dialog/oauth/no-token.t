# Without a token the client is told what it needs, sends a dummy, and fails (RFC 7628 3.2.3, 4.3).
config: oauth
listener: submission
modes: tls

C: AUTH OAUTHBEARER bixhPWFsaWNlQGV4YW1wbGUudGVzdCwBaG9zdD1tYWlsLmV4YW1wbGUudGVzdAFwb3J0PTU4NwFhdXRoPQEB
S: 334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJzbXRwIiwib3BlbmlkLWNvbmZpZ3VyYXRpb24iOiJodHRwczovLzEyNy4wLjAuMTo5Ly53ZWxsLWtub3duL29wZW5pZC1jb25maWd1cmF0aW9uIn0=$
C: AQ==
S: 535 5\.7\.8
C: NOOP
S: 250
