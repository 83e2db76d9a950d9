# XOAUTH2 likewise; the dummy is an empty line.
config: oauth
listener: submission
modes: tls

C: AUTH XOAUTH2 dXNlcj1hbGljZUBleGFtcGxlLnRlc3QBYXV0aD1CZWFyZXIgAQE=
S: 334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJzbXRwIiwib3BlbmlkLWNvbmZpZ3VyYXRpb24iOiJodHRwczovLzEyNy4wLjAuMTo5Ly53ZWxsLWtub3duL29wZW5pZC1jb25maWd1cmF0aW9uIn0=$
C: 
S: 535 5\.7\.8
